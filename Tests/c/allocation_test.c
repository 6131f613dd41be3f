/// A synchronous step allocates nothing of its own after the first of its shape. `malloc` is counted
/// by who calls it: what libzmq takes for its messages is not counted, everything else is. Built
/// without sanitizers, which replace `malloc` themselves.
#include <dlfcn.h>
#include <unistd.h>

#include "check.h"
#include "mock.h"
#include "qubus.h"

extern void *__libc_malloc(size_t count);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t count);

static _Thread_local int is_counting;
static int own, of_libzmq;

static void count(const void *caller) {
  if (!is_counting) return;
  is_counting = 0;
  Dl_info info;
  const char *name = dladdr(caller, &info) && info.dli_fname ? info.dli_fname : "";
  // libzmq allocates by `new`, too; nobody else here is written in C++.
  if (strstr(name, "libzmq") != NULL || strstr(name, "libstdc++") != NULL) {
    of_libzmq++;
  } else {
    own++;
  }
  is_counting = 1;
}

void *malloc(size_t bytes) {
  count(__builtin_return_address(0));
  return __libc_malloc(bytes);
}

void *calloc(size_t number, size_t size) {
  count(__builtin_return_address(0));
  return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t bytes) {
  count(__builtin_return_address(0));
  return __libc_realloc(memory, bytes);
}

int main(void) {
  enum { rounds = 1000, rows = 5 };
  char endpoint[128];
  snprintf(endpoint, sizeof endpoint, "ipc:///tmp/qubus-allocation-test-%d.sock", (int)getpid());
  mock *server = mock_start(endpoint);
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = endpoint;
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_client *client;
  qubus_session *session;
  CHECK_OK(qubus_client_open(&options, &client, &error), error);
  qubus_pauli_term term = {"ZZ", 1.0};
  qubus_observable observable = QUBUS_OBSERVABLE_INIT;
  observable.terms = &term;
  observable.term_count = 1;
  qubus_session_spec spec = QUBUS_SESSION_SPEC_INIT;
  spec.program = "input float a; input float b; input float c; qubit[2] q;";
  spec.observables = &observable;
  spec.observable_count = 1;
  CHECK_OK(qubus_session_open(client, &spec, 5000, &session, &error), error);
  double parameters[rows * 3], values[rows], gradients[rows * 3];
  qubus_step step = QUBUS_STEP_INIT;
  step.parameters = parameters;
  step.values = values;
  step.gradients = gradients;
  step.values_capacity = rows;
  step.gradients_capacity = rows * 3;
  for (uint32_t outputs = 1; outputs <= 3; outputs += 2) {
    for (step.rows = 1; step.rows <= rows; step.rows += rows - 1) {
      step.outputs = outputs;
      own = of_libzmq = 0;
      for (int i = 0; i <= rounds; i++) {
        for (uint64_t k = 0; k < step.rows * 3; k++) parameters[k] = i + (double)k;
        is_counting = i > 0;
        int32_t code = qubus_session_step(session, &step, 5000, &error);
        is_counting = 0;
        CHECK_OK(code, error);
        CHECK(values[0] == 3.0 * i + 3);
      }
      printf("  outputs %u, %d rows: %d allocations in %d steps, and %d of libzmq\n", outputs,
             (int)step.rows, own, rounds, of_libzmq);
      CHECK(own == 0);
    }
  }
  // The counter counts: a started step allocates.
  qubus_call *call;
  is_counting = 1;
  int32_t code = qubus_session_step_start(session, &step, 0, &call, &error);
  is_counting = 0;
  CHECK_OK(code, error);
  CHECK(own > 0);
  qubus_call_free(&call);
  qubus_session_free(&session);
  qubus_client_free(&client);
  mock_stop(server);
  unlink(endpoint + 6);
  return 0;
}

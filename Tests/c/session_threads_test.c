/// Threads that share sessions over one client, with restarts of the server meanwhile; meant for
/// ThreadSanitizer.
#include <pthread.h>
#include <unistd.h>

#include "check.h"
#include "mock.h"
#include "qubus.h"

enum { workers = 6, rounds = 80, window = 8, restarts = 4 };

static qubus_client *client;
static qubus_session *shared;
static atomic_int finished, shared_steps;

static qubus_session *open_session(void) {
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_pauli_term term = {"ZZ", 1.0};
  qubus_observable observable = QUBUS_OBSERVABLE_INIT;
  observable.terms = &term;
  observable.term_count = 1;
  qubus_session_spec spec = QUBUS_SESSION_SPEC_INIT;
  spec.program = "input float a; input float b; qubit[2] q;";
  spec.observables = &observable;
  spec.observable_count = 1;
  qubus_session *session;
  CHECK_OK(qubus_session_open(client, &spec, 30000, &session, &error), error);
  return session;
}

static void step_once(qubus_session *session, double a, double b, int64_t timeout) {
  qubus_error error = QUBUS_ERROR_INIT;
  double parameters[2] = {a, b}, value = 0, gradient[2];
  qubus_step step = QUBUS_STEP_INIT;
  step.outputs = 3;
  step.parameters = parameters;
  step.values = &value;
  step.values_capacity = 1;
  step.gradients = gradient;
  step.gradients_capacity = 2;
  int32_t code = qubus_session_step(session, &step, timeout, &error);
  if (timeout < 1000 && code == QUBUS_E_DEADLINE_EXCEEDED) return;
  CHECK_OK(code, error);
  CHECK(value == a + b && gradient[1] == 1);
}

static void pipeline(qubus_session *session, double base) {
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_call *calls[window];
  uint64_t last = 0;
  for (int i = 0; i < window; i++) {
    double parameters[2] = {base, i};
    qubus_step step = QUBUS_STEP_INIT;
    step.parameters = parameters;
    CHECK_OK(qubus_session_step_start(session, &step, 0, &calls[i], &error), error);
  }
  for (int i = 0; i < window; i++) {
    int32_t code = qubus_call_wait(calls[i], 30000, &error);
    qubus_result *result;
    // Answers that a restart swallowed cannot be had again, except the last.
    if (code == QUBUS_OK) {
      qubus_array values = QUBUS_ARRAY_INIT;
      CHECK_OK(qubus_call_take_result(calls[i], &result, &error), error);
      CHECK_OK(qubus_result_find(result, 0, "values", &values, &error), error);
      CHECK(*(const double *)values.data == base + i);
      qubus_result_free(&result);
    } else {
      CHECK_CODE(QUBUS_E_STEP_OUT_OF_ORDER, code, error);
    }
    qubus_call_free(&calls[i]);
  }
  uint64_t now = qubus_session_last_sequence(session);
  CHECK(now > last);
}

static void *work(void *argument) {
  int kind = (int)(uintptr_t)argument;
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_session *own = open_session();
  for (int i = 0; i < rounds; i++) {
    if (kind % 3 == 0) {
      step_once(shared, kind, i, 30000);
      atomic_fetch_add(&shared_steps, 1);
    }
    step_once(own, kind, i, i % 10 == 5 ? 0 : 30000);
    if (kind % 3 == 1) pipeline(own, i);
    if (kind % 3 == 2 && i % 20 == 0) {
      double initial[2] = {0, 0};
      qubus_optimization_spec spec = QUBUS_OPTIMIZATION_SPEC_INIT;
      spec.method = "adam";
      spec.initial = initial;
      qubus_optimization *optimization;
      qubus_optimum optimum = QUBUS_OPTIMUM_INIT;
      CHECK_OK(qubus_optimization_start(own, &spec, 0, &optimization, &error), error);
      int32_t code = qubus_optimization_result(optimization, 30000, &optimum, &error);
      CHECK(code == QUBUS_OK || code == QUBUS_E_CONNECTION_LOST);
      qubus_optimization_id(optimization);
      qubus_optimization_free(&optimization);
    }
  }
  qubus_session_free(&own);
  atomic_fetch_add(&finished, 1);
  return NULL;
}

int main(void) {
  char endpoint[128];
  snprintf(endpoint, sizeof endpoint, "ipc:///tmp/qubus-session-threads-%d.sock", (int)getpid());
  mock *server = mock_start(endpoint);
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = endpoint;
  options.submit_retries = 1000;
  qubus_error error = QUBUS_ERROR_INIT;
  for (int has_restarts = 0; has_restarts < 2; has_restarts++) {
    CHECK_OK(qubus_client_open(&options, &client, &error), error);
    shared = open_session();
    atomic_store(&finished, 0);
    atomic_store(&shared_steps, 0);
    pthread_t threads[workers];
    for (uintptr_t i = 0; i < workers; i++) {
      CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    }
    for (int i = 0; has_restarts && i < restarts; i++) {
      // After so many more steps, so that every restart falls into the work.
      int goal = atomic_load(&server->record.steps) + 200;
      while (atomic_load(&server->record.steps) < goal && atomic_load(&finished) < workers) {
        sched_yield();
      }
      mock_restart(server);
    }
    for (int i = 0; i < workers; i++) pthread_join(threads[i], NULL);
    CHECK(qubus_session_last_sequence(shared) == (uint64_t)atomic_load(&shared_steps));
    qubus_session_free(&shared);
    qubus_client_free(&client);
  }
  printf("%d steps sent, %d evaluated, %d repeated, %d resumes\n",
         atomic_load(&server->record.steps), atomic_load(&server->record.evaluations),
         atomic_load(&server->record.repeats), atomic_load(&server->record.resumes));
  mock_stop(server);
  unlink(endpoint + 6);
  return 0;
}

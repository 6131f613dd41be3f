/// Optimizations of libqubus against the mock server, which sends batches of seven iterations.
#include <math.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "mock.h"
#include "qubus.h"

static char endpoint[128];

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

typedef struct fixture {
  mock *server;
  qubus_client *client;
  qubus_session *session;
} fixture;

static fixture set_up(int64_t credit) {
  fixture f = {mock_start(endpoint), NULL, NULL};
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = endpoint;
  options.stream_credit_bytes = credit;
  qubus_error error = QUBUS_ERROR_INIT;
  CHECK_OK(qubus_client_open(&options, &f.client, &error), error);
  qubus_pauli_term term = {"ZZ", 1.0};
  qubus_observable observable = QUBUS_OBSERVABLE_INIT;
  observable.terms = &term;
  observable.term_count = 1;
  qubus_session_spec spec = QUBUS_SESSION_SPEC_INIT;
  spec.program = "input float a; input float b; qubit[2] q;";
  spec.observables = &observable;
  spec.observable_count = 1;
  CHECK_OK(qubus_session_open(f.client, &spec, 5000, &f.session, &error), error);
  return f;
}

static void tear_down(fixture *f) {
  qubus_session_free(&f->session);
  qubus_client_free(&f->client);
  mock_stop(f->server);
}

static const double start_point[2] = {0.5, 1.5}, below[2] = {-1, -INFINITY}, above[2] = {1, 9};

static qubus_optimization *start(fixture *f) {
  static const qubus_option options[1] = {{"learning_rate", 0.1}};
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_optimization_spec spec = QUBUS_OPTIMIZATION_SPEC_INIT;
  spec.method = "adam";
  spec.initial = start_point;
  spec.lower = below;
  spec.upper = above;
  spec.options = options;
  spec.option_count = 1;
  spec.max_iterations = 1000;
  spec.max_seconds = 10;
  spec.has_seed = 1;
  qubus_optimization *optimization;
  CHECK_OK(qubus_optimization_start(f->session, &spec, 0, &optimization, &error), error);
  return optimization;
}

/// Reads to the end; checks that iterations run on from `after` without gap or double.
static uint64_t read_all(qubus_optimization *optimization, uint64_t after) {
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_iteration iteration = QUBUS_ITERATION_INIT;
  int32_t code;
  while ((code = qubus_optimization_next(optimization, 10000, &iteration, &error)) == QUBUS_OK) {
    CHECK(iteration.number == ++after && iteration.parameter_count == 2);
    CHECK(iteration.value == 1.0 / (double)after && isnan(iteration.gradient_norm));
    CHECK(iteration.parameters[0] == (double)after && iteration.parameters[1] == (double)after + 1);
    CHECK(iteration.evaluations >= 2 * after);
  }
  CHECK_CODE(QUBUS_E_END_OF_STREAM, code, error);
  return after;
}

static void check_optimum(qubus_optimization *optimization, const char *ending) {
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_optimum optimum = QUBUS_OPTIMUM_INIT;
  CHECK_OK(qubus_optimization_result(optimization, 10000, &optimum, &error), error);
  CHECK(strcmp(optimum.ending, ending) == 0 && optimum.parameter_count == 2);
  CHECK(optimum.best[0] == 0 && optimum.last[1] == 0);
}

static void iterations_come_in_order_and_then_the_optimum(void) {
  // With a small window and with a large one.
  for (int64_t credit = 100; credit <= 1000000; credit *= 10000) {
    fixture f = set_up(credit);
    atomic_store(&f.server->behaviour.iterations, 1000);
    qubus_optimization *optimization = start(&f);
    CHECK(read_all(optimization, 0) == 1000);
    CHECK(strlen(qubus_optimization_id(optimization)) == 36);
    check_optimum(optimization, "converged");
    check_optimum(optimization, "converged");
    CHECK(read_all(optimization, 1000) == 1000);
    qubus_optimization_free(&optimization);
    CHECK(optimization == NULL && atomic_load(&f.server->record.optimizations) == 1);
    tear_down(&f);
  }
}

static void the_optimum_can_be_had_without_reading(void) {
  fixture f = set_up(200);
  atomic_store(&f.server->behaviour.iterations, 500);
  qubus_optimization *optimization = start(&f);
  check_optimum(optimization, "converged");
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_iteration iteration = QUBUS_ITERATION_INIT;
  CHECK_CODE(QUBUS_E_END_OF_STREAM, qubus_optimization_next(optimization, 100, &iteration, &error),
             error);
  qubus_optimization_free(&optimization);
  tear_down(&f);
}

static void a_restart_and_a_gap_are_healed(void) {
  for (int mode = 0; mode < 3; mode++) {
    fixture f = set_up(300);
    atomic_store(&f.server->behaviour.iterations, 200);
    if (mode == 0) atomic_store(&f.server->behaviour.restart_at_iteration, 50);
    if (mode == 2) atomic_store(&f.server->behaviour.corrupt_chunks, 2);
    qubus_optimization *optimization = start(&f);
    if (mode == 1) atomic_store(&f.server->behaviour.skipped_batches, 2);
    CHECK(read_all(optimization, 0) == 200);
    check_optimum(optimization, "converged");
    CHECK(atomic_load(&f.server->record.optimizations) == 1);
    qubus_optimization_free(&optimization);
    tear_down(&f);
  }
}

static void a_start_whose_fate_is_unknown_is_not_repeated(void) {
  fixture f = set_up(300);
  atomic_store(&f.server->behaviour.is_silent, 1);
  qubus_optimization *optimization = start(&f);
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_iteration iteration = QUBUS_ITERATION_INIT;
  double begin = seconds();
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, qubus_optimization_next(optimization, 50, &iteration,
                                                                &error), error);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, qubus_optimization_cancel(optimization, 50, NULL, &error),
             error);
  CHECK(seconds() - begin < 1 && qubus_optimization_id(optimization)[0] == 0);
  atomic_store(&f.server->behaviour.is_silent, 0);
  mock_restart(f.server);
  CHECK_CODE(QUBUS_E_CONNECTION_LOST, qubus_optimization_next(optimization, 5000, &iteration,
                                                              &error), error);
  CHECK(atomic_load(&f.server->record.optimizations) == 0);
  qubus_optimization_free(&optimization);
  tear_down(&f);
}

static void an_optimization_can_be_left_and_attached_to(void) {
  fixture f = set_up(100);
  atomic_store(&f.server->behaviour.iterations, 100);
  qubus_optimization *optimization = start(&f);
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_iteration iteration = QUBUS_ITERATION_INIT;
  for (int i = 0; i < 9; i++) {
    CHECK_OK(qubus_optimization_next(optimization, 5000, &iteration, &error), error);
  }
  char id[64];
  strcpy(id, qubus_optimization_id(optimization));
  qubus_optimization_free(&optimization);
  mock_restart(f.server);
  CHECK_OK(qubus_optimization_attach(f.session, id, iteration.number, 0, &optimization, &error),
           error);
  CHECK(read_all(optimization, 9) == 100);
  qubus_optimization_free(&optimization);
  CHECK_CODE(QUBUS_E_INVALID_ARGUMENT,
             qubus_optimization_attach(f.session, "x", 0, 0, &optimization, &error), error);
  tear_down(&f);
}

static void cancel_ends_it_with_the_best_so_far(void) {
  fixture f = set_up(100);
  atomic_store(&f.server->behaviour.iterations, 50);
  atomic_store(&f.server->behaviour.is_endless, 1);
  qubus_optimization *optimization = start(&f);
  qubus_error error = QUBUS_ERROR_INIT;
  int32_t was_running;
  CHECK_OK(qubus_optimization_cancel(optimization, 5000, &was_running, &error), error);
  CHECK(was_running == 1);
  check_optimum(optimization, "canceled");
  CHECK_OK(qubus_optimization_cancel(optimization, 5000, &was_running, &error), error);
  CHECK(was_running == 0);
  qubus_optimization_free(&optimization);
  tear_down(&f);
}

static void what_is_wrong_is_told(void) {
  fixture f = set_up(100);
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_optimization *optimization;
#define REFUSED(word, change)                                                                  \
  do {                                                                                         \
    qubus_optimization_spec spec = QUBUS_OPTIMIZATION_SPEC_INIT;                               \
    spec.method = "adam";                                                                      \
    spec.initial = start_point;                                                                \
    change;                                                                                    \
    CHECK_CODE(QUBUS_E_INVALID_ARGUMENT,                                                       \
               qubus_optimization_start(f.session, &spec, 0, &optimization, &error), error);   \
    CHECK(optimization == NULL && strstr(error.message, word) != NULL);                        \
  } while (0)
  qubus_option unnamed = {NULL, 1};
  REFUSED("struct_size", spec.struct_size = 4);
  REFUSED("spec.method", spec.method = NULL);
  REFUSED("spec.initial", spec.initial = NULL);
  REFUSED("spec.lower or spec.upper", spec.lower = below);
  REFUSED("spec.options is NULL", spec.option_count = 1);
  REFUSED("spec.options[0].name", (spec.options = &unnamed, spec.option_count = 1));
  REFUSED("spec.max_shots", spec.max_shots = -1);
  CHECK(qubus_optimization_start(NULL, NULL, 0, &optimization, &error) ==
        QUBUS_E_INVALID_ARGUMENT);
  qubus_optimization_spec spec = QUBUS_OPTIMIZATION_SPEC_INIT;
  spec.method = "guess";
  spec.initial = start_point;
  CHECK_OK(qubus_optimization_start(f.session, &spec, 0, &optimization, &error), error);
  qubus_iteration iteration = QUBUS_ITERATION_INIT;
  qubus_optimum optimum = QUBUS_OPTIMUM_INIT;
  CHECK_CODE(QUBUS_E_INVALID_OPTIMIZER,
             qubus_optimization_next(optimization, 5000, &iteration, &error), error);
  CHECK_CODE(QUBUS_E_INVALID_OPTIMIZER,
             qubus_optimization_result(optimization, 5000, &optimum, &error), error);
  CHECK_OK(qubus_optimization_cancel(optimization, 5000, NULL, &error), error);
  CHECK(qubus_optimization_next(NULL, 0, &iteration, &error) == QUBUS_E_INVALID_ARGUMENT);
  iteration.struct_size = 4;
  CHECK(qubus_optimization_next(optimization, 0, &iteration, &error) == QUBUS_E_INVALID_ARGUMENT);
  CHECK(qubus_optimization_result(optimization, 0, NULL, &error) == QUBUS_E_INVALID_ARGUMENT);
  qubus_optimization_free(&optimization);
  qubus_optimization_free(&optimization);
  qubus_optimization_free(NULL);
  tear_down(&f);
}

static void frees_in_any_order_do_nothing_wrong(void) {
  for (int order = 0; order < 6; order++) {
    fixture f = set_up(100);
    atomic_store(&f.server->behaviour.is_endless, 1);
    qubus_optimization *optimization = start(&f);
    int left[3] = {0, 1, 2}, digits = order;
    for (int n = 3; n > 0; n--) {
      int pick = digits % n, what = left[pick];
      digits /= n;
      left[pick] = left[n - 1];
      if (what == 0) qubus_client_free(&f.client);
      if (what == 1) qubus_session_free(&f.session);
      if (what == 2) qubus_optimization_free(&optimization);
    }
    mock_stop(f.server);
  }
  fixture f = set_up(100);
  atomic_store(&f.server->behaviour.is_endless, 1);
  qubus_optimization *optimization = start(&f);
  CHECK(qubus_client_close(f.client) == QUBUS_OK);
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_optimum optimum = QUBUS_OPTIMUM_INIT;
  CHECK_CODE(QUBUS_E_CLIENT_CLOSED, qubus_optimization_result(optimization, -1, &optimum, &error),
             error);
  qubus_optimization_free(&optimization);
  tear_down(&f);
}

int main(int argc, char **argv) {
  snprintf(endpoint, sizeof endpoint, "ipc:///tmp/qubus-optimization-test-%d.sock", (int)getpid());
  RUN(iterations_come_in_order_and_then_the_optimum);
  RUN(the_optimum_can_be_had_without_reading);
  RUN(a_restart_and_a_gap_are_healed);
  RUN(a_start_whose_fate_is_unknown_is_not_repeated);
  RUN(an_optimization_can_be_left_and_attached_to);
  RUN(cancel_ends_it_with_the_best_so_far);
  RUN(what_is_wrong_is_told);
  RUN(frees_in_any_order_do_nothing_wrong);
  unlink(endpoint + 6);
  return 0;
}

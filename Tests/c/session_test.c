/// Sessions of libqubus against the mock server: steps, their order and their numbers, whatever
/// happens to the connection.
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>
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

static qubus_client *open_client(void) {
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = endpoint;
  options.stream_credit_bytes = 400;
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_client *client;
  CHECK_OK(qubus_client_open(&options, &client, &error), error);
  return client;
}

/// Two parameters, two observables.
static qubus_session_spec pair(void) {
  static qubus_pauli_term terms[2] = {{"ZZ", 1.0}, {"XI", 0.5}};
  static qubus_observable observables[2] = {QUBUS_OBSERVABLE_INIT, QUBUS_OBSERVABLE_INIT};
  observables[0].terms = &terms[0];
  observables[1].terms = &terms[1];
  observables[0].term_count = observables[1].term_count = 1;
  qubus_session_spec spec = QUBUS_SESSION_SPEC_INIT;
  spec.program = "input float a; input float b; qubit[2] q;";
  spec.observables = observables;
  spec.observable_count = 2;
  return spec;
}

static qubus_session *open_session(qubus_client *client) {
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_session_spec spec = pair();
  qubus_session *session;
  CHECK_OK(qubus_session_open(client, &spec, 5000, &session, &error), error);
  return session;
}

/// One step with values only; checks what it gives when it gives something.
static int32_t try_step(
    qubus_session *session, double a, double b, int64_t timeout, qubus_step *told,
    qubus_error *error) {
  double parameters[2] = {a, b}, values[2] = {0, 0};
  qubus_step step = QUBUS_STEP_INIT;
  step.parameters = parameters;
  step.values = values;
  step.values_capacity = 2;
  int32_t code = qubus_session_step(session, &step, timeout, error);
  if (code == QUBUS_OK) CHECK(values[0] == a + b && values[1] == 2 * (a + b));
  if (told != NULL) *told = step;
  return code;
}

/// A step that must succeed, with this number.
static qubus_step step_numbered(qubus_session *session, double a, uint64_t number) {
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_step told;
  CHECK_OK(try_step(session, a, 1, 10000, &told, &error), error);
  CHECK(told.sequence == number && qubus_session_last_sequence(session) == number);
  return told;
}

/// What freed clients said last arrives some time: waits for it, then looks that no more comes.
static void check_closes(mock *server, int count) {
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_client *client = open_client();
  for (int i = 0; atomic_load(&server->record.closes) < count && i < 10000; i++) {
    CHECK_OK(qubus_client_ping(client, 5000, &error), error);
  }
  CHECK(atomic_load(&server->record.closes) == count);
  qubus_client_free(&client);
}

static void a_session_steps_from_open_to_close(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_session *session = open_session(client);
  qubus_error error = QUBUS_ERROR_INIT;
  CHECK(strlen(qubus_session_id(session)) == 36 && qubus_session_parameter_count(session) == 2);
  CHECK(strcmp(qubus_session_parameter_name(session, 1), "p1") == 0);
  CHECK(qubus_session_parameter_name(session, 2)[0] == 0);
  CHECK(qubus_session_observable_count(session) == 2 && qubus_session_outputs(session) == 3);
  CHECK(qubus_session_qubit_count(session) == 2 && qubus_session_bit_count(session) == 2);
  CHECK(qubus_session_secret(session)[0] == 1 && qubus_session_last_sequence(session) == 0);
  double parameters[6] = {1, 2, 3, 4, 5, 6}, values[6], gradients[12], errors[6];
  qubus_step step = QUBUS_STEP_INIT;
  step.outputs = QUBUS_STEP_VALUES | QUBUS_STEP_GRADIENTS;
  step.parameters = parameters;
  step.rows = 3;
  step.values = values;
  step.gradients = gradients;
  step.standard_errors = errors;
  step.values_capacity = step.standard_errors_capacity = 6;
  step.gradients_capacity = 12;
  for (uint64_t i = 1; i <= 100; i++) {
    memset(values, 0, sizeof values);
    memset(gradients, 0, sizeof gradients);
    CHECK_OK(qubus_session_step(session, &step, 5000, &error), error);
    for (int r = 0; r < 3; r++) {
      double sum = parameters[2 * r] + parameters[2 * r + 1];
      CHECK(values[2 * r] == sum && values[2 * r + 1] == 2 * sum && isnan(errors[2 * r]));
      CHECK(gradients[4 * r] == 1 && gradients[4 * r + 1] == 1 && gradients[4 * r + 3] == 2);
    }
    CHECK(step.sequence == i && !step.was_repeated && !step.was_rebuilt);
    CHECK(step.device_nanoseconds == 5000 && step.norm_drift == 1e-16 && step.shots_used == 0);
  }
  step.outputs = QUBUS_STEP_GRADIENTS;
  step.values = NULL;
  step.standard_errors = NULL;
  CHECK_OK(qubus_session_step(session, &step, 5000, &error), error);
  step.shots = 100;  // sampled: standard errors come by themselves
  step.outputs = 0;
  step.values = values;
  step.standard_errors = errors;
  CHECK_OK(qubus_session_step(session, &step, 5000, &error), error);
  CHECK(errors[0] == 0.125 && step.shots_used == 100 && step.sequence == 102);
  qubus_text *text;
  CHECK_OK(qubus_session_describe(session, 5000, &text, &error), error);
  CHECK(strstr(qubus_text_data(text), "\"last_sequence\":102") != NULL);
  CHECK(strncmp(qubus_text_data(text), "{\"session_id\":", 14) == 0);
  qubus_text_free(&text);
  CHECK_OK(qubus_client_sessions(client, 1, 5000, &text, &error), error);
  CHECK(strncmp(qubus_text_data(text), "{\"sessions\":[]", 14) == 0);
  qubus_text_free(&text);
  CHECK_OK(qubus_session_close(session, 5000, &error), error);
  CHECK_OK(qubus_session_close(session, 5000, &error), error);
  CHECK_CODE(QUBUS_E_SESSION_NOT_FOUND, try_step(session, 1, 1, 5000, NULL, &error), error);
  qubus_session_free(&session);
  CHECK(session == NULL && atomic_load(&server->record.closes) == 1);
  CHECK(atomic_load(&server->record.evaluations) == 102);
  qubus_client_free(&client);
  mock_stop(server);
}

static void a_program_without_parameters_has_steps_too(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_session_spec spec = pair();
  spec.program = "qubit[2] q;";
  qubus_session *session;
  CHECK_OK(qubus_session_open(client, &spec, 5000, &session, &error), error);
  double values[2] = {5, 5};
  qubus_step step = QUBUS_STEP_INIT;
  step.values = values;
  step.values_capacity = 2;
  CHECK_OK(qubus_session_step(session, &step, 5000, &error), error);
  CHECK(values[0] == 0 && values[1] == 0);
  qubus_session_free(&session);
  qubus_client_free(&client);
  mock_stop(server);
}

static void bad_arguments_are_named_before_anything_is_sent(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_session *session = open_session(client), *other = NULL;
  qubus_error error = QUBUS_ERROR_INIT;
  double parameters[2] = {1, 2}, values[4], gradients[8];
#define REFUSED(code, word, change)                                              \
  do {                                                                           \
    qubus_step step = QUBUS_STEP_INIT;                                           \
    step.parameters = parameters;                                                \
    step.values = values;                                                        \
    step.values_capacity = 2;                                                    \
    step.gradients = gradients;                                                  \
    step.gradients_capacity = 4;                                                 \
    change;                                                                      \
    CHECK_CODE(code, qubus_session_step(session, &step, 5000, &error), error);   \
    CHECK(strstr(error.message, word) != NULL);                                  \
  } while (0)
  REFUSED(QUBUS_E_INVALID_ARGUMENT, "struct_size", step.struct_size = 8);
  REFUSED(QUBUS_E_INVALID_ARGUMENT, "step.rows is 0", step.rows = 0);
  REFUSED(QUBUS_E_INVALID_ARGUMENT, "step.rows", step.rows = UINT64_MAX / 2);
  REFUSED(QUBUS_E_INVALID_ARGUMENT, "step.parameters", step.parameters = NULL);
  REFUSED(QUBUS_E_INVALID_ARGUMENT, "step.values", step.values = NULL);
  REFUSED(QUBUS_E_INVALID_ARGUMENT, "step.outputs", step.outputs = QUBUS_STEP_COUNTS);
  REFUSED(QUBUS_E_BUFFER_TOO_SMALL, "step.values needs room for 2", step.values_capacity = 1);
  REFUSED(QUBUS_E_BUFFER_TOO_SMALL, "step.values needs room for 6", step.rows = 3);
  REFUSED(QUBUS_E_BUFFER_TOO_SMALL, "step.gradients",
          (step.outputs = 3, step.gradients_capacity = 3));
  REFUSED(QUBUS_E_BUFFER_TOO_SMALL, "step.standard_errors", step.standard_errors = values);
  CHECK(atomic_load(&server->record.steps) == 0);
  CHECK(qubus_session_step(session, NULL, 0, &error) == QUBUS_E_INVALID_ARGUMENT);
  CHECK(qubus_session_step(NULL, NULL, 0, &error) == QUBUS_E_INVALID_ARGUMENT);
  CHECK(qubus_session_step_start(session, NULL, 0, NULL, &error) == QUBUS_E_INVALID_ARGUMENT);
  CHECK(qubus_session_close(NULL, 0, &error) == QUBUS_E_INVALID_ARGUMENT);
  CHECK(qubus_session_describe(session, 0, NULL, &error) == QUBUS_E_INVALID_ARGUMENT);
  CHECK(qubus_session_detach(NULL) == QUBUS_E_INVALID_ARGUMENT);
  CHECK(qubus_session_parameter_count(NULL) == 0 && qubus_session_id(NULL)[0] == 0);
#define NOT_OPENED(word, change)                                                             \
  do {                                                                                       \
    qubus_session_spec spec = pair();                                                        \
    change;                                                                                  \
    CHECK_CODE(QUBUS_E_INVALID_ARGUMENT,                                                     \
               qubus_session_open(client, &spec, 5000, &other, &error), error);              \
    CHECK(other == NULL && strstr(error.message, word) != NULL);                             \
  } while (0)
  static const char *tags[1] = {NULL};
  NOT_OPENED("spec", spec.struct_size = 8);
  NOT_OPENED("spec.program", spec.program = NULL);
  NOT_OPENED("spec.outputs", spec.outputs = 64);
  NOT_OPENED("spec.observables", spec.observables = NULL);
  NOT_OPENED("spec.precision", spec.precision = "half");
  NOT_OPENED("spec.max_steps", spec.max_steps = -1);
  NOT_OPENED("spec.memory_bytes", spec.memory_bytes = -1);
  NOT_OPENED("spec.tags[0]", (spec.tags = tags, spec.tag_count = 1));
  CHECK(qubus_session_open(client, NULL, 0, &other, &error) == QUBUS_E_INVALID_ARGUMENT);
  uint8_t secret[32] = {0};
  CHECK_CODE(QUBUS_E_INVALID_ARGUMENT,
             qubus_session_resume(client, "no id", secret, 0, 0, &other, &error), error);
  CHECK(strstr(error.message, "session_id") != NULL);
  CHECK_CODE(QUBUS_E_SESSION_NOT_FOUND,
             qubus_session_resume(client, qubus_session_id(session), secret, 0, 5000, &other,
                                  &error), error);
  qubus_session_free(NULL);
  qubus_session_free(&other);
  qubus_session_free(&session);
  qubus_client_free(&client);
  mock_stop(server);
}

static void what_the_server_refuses_takes_no_number(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_session *session = open_session(client);
  qubus_error error = QUBUS_ERROR_INIT;
  step_numbered(session, 1, 1);
  CHECK_CODE(QUBUS_E_INVALID_PARAMETER_VALUE, try_step(session, NAN, 1, 5000, NULL, &error), error);
  CHECK(strcmp(error.trace_id, "trace-1") == 0);
  CHECK_CODE(QUBUS_E_INVALID_PARAMETER_VALUE, try_step(session, INFINITY, 1, 5000, NULL, &error),
             error);
  step_numbered(session, 2, 2);
  qubus_session_free(&session);
  qubus_client_free(&client);
  mock_stop(server);
}

static void a_lost_connection_is_healed(void) {
  for (int mode = 0; mode < 4; mode++) {
    int is_restart = mode & 1, is_lost = mode >> 1;
    mock *server = mock_start(endpoint);
    qubus_client *client = open_client();
    qubus_session *session = open_session(client);
    atomic_store(&server->behaviour.is_step_lost, is_lost);
    atomic_store(is_restart ? &server->behaviour.restart_at_step
                            : &server->behaviour.drop_at_step, 3);
    step_numbered(session, 1, 1);
    step_numbered(session, 2, 2);
    qubus_step told = step_numbered(session, 3, 3);
    // A rebuilt session computes the step again; a living one answers from its memory.
    CHECK(told.was_repeated == (!is_restart && !is_lost) && told.was_rebuilt == is_restart);
    told = step_numbered(session, 4, 4);
    CHECK(!told.was_repeated && !told.was_rebuilt);
    CHECK(atomic_load(&server->record.resumes) == 1);
    CHECK(atomic_load(&server->record.evaluations) == (is_restart && !is_lost ? 5 : 4));
    qubus_session_free(&session);
    qubus_client_free(&client);
    mock_stop(server);
  }
}

static void an_idle_session_resumes_with_its_next_step(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_session *session = open_session(client);
  step_numbered(session, 1, 1);
  mock_restart(server);
  CHECK(step_numbered(session, 2, 2).was_rebuilt);
  mock_goaway(server);
  mock_restart(server);
  atomic_store(&server->behaviour.shutting_down, 1);
  step_numbered(session, 3, 3);
  qubus_session_free(&session);
  qubus_client_free(&client);
  mock_stop(server);
}

static void a_step_that_timed_out_goes_on_under_its_number(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_session *session = open_session(client);
  qubus_error error = QUBUS_ERROR_INIT;
  step_numbered(session, 1, 1);
  // Swallowed: the same contents go again under the same number.
  atomic_store(&server->behaviour.swallowed_steps, 2);
  double start = seconds();
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, try_step(session, 2, 1, 50, NULL, &error), error);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, try_step(session, 2, 1, 50, NULL, &error), error);
  CHECK(seconds() - start < 1);
  step_numbered(session, 2, 2);
  CHECK(atomic_load(&server->record.steps) == 4 && atomic_load(&server->record.evaluations) == 2);
  // Other contents: the old step is sent again first.
  atomic_store(&server->behaviour.swallowed_steps, 1);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, try_step(session, 3, 1, 50, NULL, &error), error);
  step_numbered(session, 4, 4);
  CHECK(atomic_load(&server->record.steps) == 7 && atomic_load(&server->record.evaluations) == 4);
  // Running when it was given up: its answer is stored, and told as repeated.
  atomic_store(&server->behaviour.holds_steps, 1);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, try_step(session, 5, 1, 50, NULL, &error), error);
  mock_release(server);
  CHECK(step_numbered(session, 5, 5).was_repeated);
  CHECK(atomic_load(&server->record.evaluations) == 5);
  // Its number is settled although the caller never learns the answer.
  atomic_store(&server->behaviour.holds_steps, 1);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, try_step(session, 6, 1, 0, NULL, &error), error);
  mock_release(server);
  step_numbered(session, 7, 7);
  CHECK(atomic_load(&server->record.evaluations) == 7);
  // Refused when it is sent again: the step behind it takes its number.
  atomic_store(&server->behaviour.swallowed_steps, 1);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, try_step(session, NAN, 1, 50, NULL, &error), error);
  step_numbered(session, 8, 8);
  // Lost with the connection meanwhile.
  atomic_store(&server->behaviour.swallowed_steps, 1);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, try_step(session, 9, 1, 50, NULL, &error), error);
  mock_restart(server);
  step_numbered(session, 10, 10);
  qubus_session_free(&session);
  qubus_client_free(&client);
  mock_stop(server);
}

static void a_server_that_swallows_everything_hangs_nobody(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_session *session = open_session(client), *other;
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_session_spec spec = pair();
  qubus_text *text;
  atomic_store(&server->behaviour.is_silent, 1);
  double start = seconds();
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, try_step(session, 1, 1, 100, NULL, &error), error);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, qubus_session_close(session, 50, &error), error);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, qubus_session_describe(session, 50, &text, &error), error);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, qubus_session_open(client, &spec, 50, &other, &error),
             error);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED,
             qubus_session_resume(client, qubus_session_id(session),
                                  qubus_session_secret(session), 0, 50, &other, &error), error);
  // However many steps are given up, the server is not sent more than it takes.
  for (int i = 0; i < 100; i++) {
    CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, try_step(session, i + 2, 1, 0, NULL, &error), error);
  }
  CHECK(seconds() - start < 2);
  atomic_store(&server->behaviour.is_silent, 0);
  mock_restart(server);
  CHECK_OK(try_step(session, 0.5, 1, 5000, NULL, &error), error);
  CHECK(qubus_session_last_sequence(session) == 33);
  // A resume without an answer: the step ends by its own deadline.
  atomic_store(&server->behaviour.swallowed_resumes, 1);
  mock_restart(server);
  start = seconds();
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, try_step(session, 0.25, 1, 100, NULL, &error), error);
  CHECK(seconds() - start < 1);
  // The server is gone.
  mock_down(server);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, try_step(session, 0.25, 1, 100, NULL, &error), error);
  qubus_session_free(&session);
  qubus_client_free(&client);
  CHECK(seconds() - start < 2);
  mock_up(server);
  mock_stop(server);
}

static void a_session_held_elsewhere_is_told(void) {
  mock *server = mock_start(endpoint);
  qubus_client *first = open_client(), *second = open_client();
  qubus_session *session = open_session(first), *taken, *same;
  qubus_error error = QUBUS_ERROR_INIT;
  step_numbered(session, 1, 1);
  CHECK_OK(qubus_session_resume(second, qubus_session_id(session), qubus_session_secret(session),
                                1, 5000, &taken, &error), error);
  CHECK(qubus_session_last_sequence(taken) == 1 && qubus_session_parameter_count(taken) == 2);
  step_numbered(taken, 2, 2);
  int resumes = atomic_load(&server->record.resumes);
  CHECK_CODE(QUBUS_E_SESSION_HELD_ELSEWHERE, try_step(session, 2, 1, 5000, NULL, &error), error);
  CHECK_CODE(QUBUS_E_SESSION_HELD_ELSEWHERE, try_step(session, 2, 1, 5000, NULL, &error), error);
  CHECK(atomic_load(&server->record.resumes) == resumes);
  // Two handles over one connection: the second to use a number is told, and then goes on.
  CHECK_OK(qubus_session_resume(second, qubus_session_id(session), qubus_session_secret(session),
                                2, 5000, &same, &error), error);
  step_numbered(same, 3, 3);
  CHECK_CODE(QUBUS_E_STEP_OUT_OF_ORDER, try_step(taken, 4, 1, 5000, NULL, &error), error);
  step_numbered(taken, 4, 4);
  // The handle that lost the session does not close it.
  qubus_session_free(&session);
  step_numbered(taken, 5, 5);
  CHECK(qubus_session_detach(taken) == QUBUS_OK);
  qubus_session_free(&taken);
  qubus_session_free(&same);
  qubus_client_free(&first);
  qubus_client_free(&second);
  check_closes(server, 1);
  mock_stop(server);
}

static void a_restarted_client_goes_on_with_its_last_step(void) {
  for (int is_same = 0; is_same < 2; is_same++) {
    mock *server = mock_start(endpoint);
    qubus_client *client = open_client();
    qubus_session *session = open_session(client), *resumed;
    qubus_error error = QUBUS_ERROR_INIT;
    char id[64];
    uint8_t secret[QUBUS_SESSION_SECRET_BYTES];
    strcpy(id, qubus_session_id(session));
    memcpy(secret, qubus_session_secret(session), sizeof secret);
    step_numbered(session, 1, 1);
    step_numbered(session, 2, 2);
    CHECK(qubus_session_detach(session) == QUBUS_OK);
    qubus_session_free(&session);
    qubus_client_free(&client);
    // The former client died before it wrote down the answer to step 2.
    client = open_client();
    CHECK_OK(qubus_session_resume(client, id, secret, 1, 5000, &resumed, &error), error);
    qubus_step told = step_numbered(resumed, is_same ? 2 : 5, is_same ? 2 : 3);
    CHECK(told.was_repeated == is_same);
    step_numbered(resumed, 9, is_same ? 3 : 4);
    CHECK(atomic_load(&server->record.evaluations) == (is_same ? 3 : 4));
    qubus_session_free(&resumed);
    qubus_client_free(&client);
    mock_stop(server);
  }
}

static qubus_call *start_step(qubus_session *session, double a, uint32_t outputs, uint64_t tag) {
  qubus_error error = QUBUS_ERROR_INIT;
  double parameters[2] = {a, 1};
  qubus_step step = QUBUS_STEP_INIT;
  step.parameters = parameters;
  step.outputs = outputs;
  qubus_call *call;
  CHECK_OK(qubus_session_step_start(session, &step, tag, &call, &error), error);
  return call;
}

/// The first value of a started step, whose number is checked.
static double value_of(qubus_call **call, uint64_t number) {
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_result *result;
  qubus_array values = QUBUS_ARRAY_INIT;
  CHECK_OK(qubus_call_wait(*call, 10000, &error), error);
  CHECK_OK(qubus_call_take_result(*call, &result, &error), error);
  CHECK_CODE(QUBUS_E_INVALID_ARGUMENT, qubus_call_take_result(*call, &(qubus_result *){NULL}, &error),
             error);
  CHECK_OK(qubus_result_find(result, 0, "values", &values, &error), error);
  double value = *(const double *)values.data;
  char expected[64];
  snprintf(expected, sizeof expected, "{\"sequence\":%d,", (int)number);
  CHECK(strncmp(qubus_result_provenance_json(result), expected, strlen(expected)) == 0);
  qubus_result_free(&result);
  qubus_call_free(call);
  return value;
}

static void a_started_step_gives_a_result_with_all_arrays(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_session_spec spec = pair();
  spec.outputs = 15;
  spec.shots = 500;
  qubus_session *session;
  CHECK_OK(qubus_session_open(client, &spec, 5000, &session, &error), error);
  qubus_call *call = start_step(session, 2, 15, 0);
  qubus_session_free(&session);  // the call keeps it
  CHECK_OK(qubus_call_wait(call, 5000, &error), error);
  qubus_result *result;
  qubus_array array = QUBUS_ARRAY_INIT;
  qubus_text *text;
  CHECK_CODE(QUBUS_E_INVALID_ARGUMENT, qubus_call_take_text(call, &text, &error), error);
  CHECK_OK(qubus_call_take_result(call, &result, &error), error);
  qubus_call_free(&call);
  CHECK(qubus_result_array_count(result) == 7);
  CHECK_OK(qubus_result_find(result, 0, "values", &array, &error), error);
  CHECK(array.rank == 2 && array.shape[0] == 1 && array.shape[1] == 2 && array.bytes == 16);
  CHECK(((const double *)array.data)[1] == 6 && (uintptr_t)array.data % 16 == 0);
  CHECK_OK(qubus_result_find(result, 0, "gradients", &array, &error), error);
  CHECK(array.rank == 3 && ((const double *)array.data)[3] == 2);
  CHECK_OK(qubus_result_find(result, 0, "standard_errors", &array, &error), error);
  CHECK(((const double *)array.data)[0] == 0.125);
  CHECK_OK(qubus_result_find(result, 0, "statevector", &array, &error), error);
  CHECK(array.data_type == QUBUS_TYPE_COMPLEX128 && array.bytes == 64);
  uint64_t entries, count;
  uint32_t bit_count;
  char bits[8];
  CHECK_OK(qubus_result_counts_size(result, 0, 0, &entries, &bit_count, &error), error);
  CHECK(entries == 1 && bit_count == 2);
  CHECK_OK(qubus_result_counts_entry(result, 0, 0, 0, bits, sizeof bits, &count, &error), error);
  CHECK(strcmp(bits, "00") == 0 && count == 500);
  CHECK(strstr(qubus_result_provenance_json(result), "\"shots_used\":500") != NULL);
  qubus_result_free(&result);
  qubus_client_free(&client);
  check_closes(server, 1);
  mock_stop(server);
}

static void pipelined_steps_keep_their_order(void) {
  enum { count = 200 };  // more than the server takes at once
  for (int mode = 0; mode < 4; mode++) {
    mock *server = mock_start(endpoint);
    qubus_client *client = open_client();
    qubus_session *session = open_session(client);
    qubus_error error = QUBUS_ERROR_INIT;
    qubus_call *calls[count];
    // 1: the server restarts in the middle; 2: before anything is sent; 3: a step fails.
    if (mode == 1) atomic_store(&server->behaviour.restart_at_step, 20);
    atomic_store(&server->behaviour.is_step_lost, 1);
    if (mode == 2) mock_restart(server);
    if (mode == 3) step_numbered(session, 1, 1);
    int descriptor = qubus_client_descriptor(client, &error);
    atomic_store(&server->behaviour.holds_steps, mode == 0);
    for (int i = 0; i < count; i++) {
      double a = mode == 3 && i == 10 ? NAN : i;
      calls[i] = start_step(session, a, 0, (uint64_t)i + 1);
    }
    if (mode == 0) {
      CHECK_OK(qubus_client_ping(client, 5000, &error), error);
      CHECK(atomic_load(&server->record.held) == 48);
      mock_release(server);
    }
    for (int taken = 0; taken < count;) {
      struct pollfd polled = {descriptor, POLLIN, 0};
      CHECK(poll(&polled, 1, 30000) == 1);
      uint64_t tag;
      while (qubus_client_next_completion(client, &tag, &error) == QUBUS_OK) taken++;
    }
    for (int i = 0; i < count; i++) {
      if (mode == 3 && i == 10) {
        CHECK_CODE(QUBUS_E_INVALID_PARAMETER_VALUE, qubus_call_wait(calls[i], 5000, &error), error);
        qubus_call_free(&calls[i]);
        continue;
      }
      uint64_t number = (uint64_t)i + 1 + (mode == 3) - (mode == 3 && i > 10);
      CHECK(value_of(&calls[i], number) == i + 1);
    }
    CHECK(qubus_session_last_sequence(session) == count);
    // Answers that the restart swallowed are computed again.
    int evaluations = atomic_load(&server->record.evaluations);
    CHECK(mode == 1 ? evaluations >= count : evaluations == count);
    qubus_session_free(&session);
    qubus_client_free(&client);
    mock_stop(server);
  }
}

static void a_canceled_step_leaves_no_hole(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_session *session = open_session(client);
  qubus_error error = QUBUS_ERROR_INIT;
  atomic_store(&server->behaviour.holds_steps, 1);
  qubus_call *calls[5];
  for (int i = 0; i < 5; i++) calls[i] = start_step(session, i, 0, 0);
  // The first runs already; the third waits, and is dropped by the server.
  CHECK(qubus_call_cancel(calls[0]) == QUBUS_OK);
  CHECK(qubus_call_cancel(calls[2]) == QUBUS_OK);
  CHECK_CODE(QUBUS_E_CALL_CANCELED, qubus_call_wait(calls[0], 5000, &error), error);
  qubus_call_free(&calls[0]);
  qubus_call_free(&calls[2]);
  CHECK_OK(qubus_client_ping(client, 5000, &error), error);
  mock_release(server);
  CHECK(value_of(&calls[1], 2) == 2);
  CHECK(value_of(&calls[3], 4) == 4);
  CHECK(value_of(&calls[4], 5) == 5);
  step_numbered(session, 9, 6);
  // Abandoned before they were sent: they take no number.
  mock_down(server);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, qubus_client_ping(client, 50, &error), error);
  calls[0] = start_step(session, 1, 0, 0);
  calls[1] = start_step(session, 2, 0, 0);
  qubus_call_free(&calls[0]);
  mock_up(server);
  CHECK(value_of(&calls[1], 7) == 3);
  qubus_session_free(&session);
  qubus_client_free(&client);
  mock_stop(server);
}

static void malformed_answers_do_no_harm(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_session *session = open_session(client);
  qubus_error error = QUBUS_ERROR_INIT;
  mock_behaviour *b = &server->behaviour;
  uint64_t number = 0;
  // 0: read without unpacking; 1: in the general way.
  for (int is_general = 0; is_general < 2; is_general++) {
    atomic_store(&b->has_unknown_fields, is_general);
    step_numbered(session, 1, ++number);
    atomic_store(&b->corrupt_chunks, 1);
    CHECK(step_numbered(session, 2, ++number).was_repeated);
    atomic_store(&b->corrupt_checksums, 1);
    CHECK(step_numbered(session, 3, ++number).was_repeated);
    atomic_store(&b->corrupt_checksums, 2);
    CHECK_CODE(QUBUS_E_ATTACHMENT_CHECKSUM_MISMATCH, try_step(session, 4, 1, 5000, NULL, &error),
               error);
    number++;
    atomic_store(&b->missing_attachments, 1);
    CHECK_CODE(QUBUS_E_PROTOCOL_ERROR, try_step(session, 5, 1, 5000, NULL, &error), error);
    number++;
    atomic_store(&b->truncated_bodies, 1);
    CHECK_CODE(QUBUS_E_PROTOCOL_ERROR, try_step(session, 6, 1, 5000, NULL, &error), error);
    number++;
    atomic_store(&b->has_other_sequence, 1);
    CHECK_CODE(QUBUS_E_PROTOCOL_ERROR, try_step(session, 7, 1, 5000, NULL, &error), error);
    number++;
    atomic_store(&b->has_strangers, 1);
    atomic_store(&b->has_double_finals, 1);
    step_numbered(session, 8, ++number);
    step_numbered(session, 9, ++number);
    atomic_store(&b->has_strangers, 0);
    atomic_store(&b->has_double_finals, 0);
    atomic_store(&b->truncated_envelopes, 1);
    CHECK(step_numbered(session, 10, ++number).was_repeated);
    qubus_call *call = start_step(session, 11, 3, 0);
    CHECK(value_of(&call, ++number) == 12);
    atomic_store(&b->corrupt_checksums, 1);
    call = start_step(session, 12, 3, 0);
    CHECK(value_of(&call, ++number) == 13);
  }
  qubus_session_free(&session);
  qubus_client_free(&client);
  mock_stop(server);
}

static void free_closes_and_detach_does_not(void) {
  mock *server = mock_start(endpoint);
  qubus_error error = QUBUS_ERROR_INIT;
  for (int order = 0; order < 4; order++) {
    qubus_client *client = open_client();
    qubus_session *session = open_session(client), *kept = open_session(client);
    CHECK(qubus_session_detach(kept) == QUBUS_OK);
    if (order == 0) qubus_session_free(&session);
    if (order == 1) qubus_client_free(&client);
    if (order == 2) CHECK(qubus_client_close(client) == QUBUS_OK);
    qubus_session_free(&kept);
    if (order == 2) {
      CHECK_CODE(QUBUS_E_CLIENT_CLOSED, try_step(session, 1, 1, 100, NULL, &error), error);
      CHECK_CODE(QUBUS_E_CLIENT_CLOSED, qubus_session_close(session, 100, &error), error);
    }
    qubus_client_free(&client);
    qubus_session_free(&session);
    client = open_client();  // its HELLO comes after what the other one said last, or waits
    check_closes(server, order + 1);
    qubus_client_free(&client);
  }
  mock_stop(server);
}

static void a_handle_that_its_client_resumed_anew_closes_nothing(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_session *session = open_session(client), *again, *third;
  step_numbered(session, 1, 1);
  CHECK_OK(qubus_session_resume(client, qubus_session_id(session), qubus_session_secret(session), 1,
                                5000, &again, &error), error);
  qubus_session_free(&session);
  step_numbered(again, 2, 2);
  CHECK_OK(qubus_session_resume(client, qubus_session_id(again), qubus_session_secret(again), 2, 5000,
                                &third, &error), error);
  CHECK_OK(qubus_session_close(again, 5000, &error), error);
  step_numbered(third, 3, 3);
  qubus_session_free(&again);
  step_numbered(third, 4, 4);
  qubus_session_free(&third);
  qubus_client_free(&client);
  check_closes(server, 1);
  mock_stop(server);
}

static void an_open_without_an_answer_makes_one_session_that_is_used(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_error error = QUBUS_ERROR_INIT;
  atomic_store(&server->behaviour.lost_openings, 1);
  qubus_session *session = open_session(client);
  CHECK(qubus_session_secret(session)[0] == 2);  // the first one's secret is lost, so it was closed
  CHECK(atomic_load(&server->record.closes) == 1 && atomic_load(&server->record.sessions) == 2);
  step_numbered(session, 1, 1);
  // Under a key of the caller's it is that session, and cannot be resumed.
  atomic_store(&server->behaviour.lost_openings, 1);
  qubus_session_spec spec = pair();
  spec.idempotency_key = "mine";
  qubus_session *other;
  CHECK_OK(qubus_session_open(client, &spec, 5000, &other, &error), error);
  CHECK(qubus_session_secret(other)[0] == 0 && atomic_load(&server->record.sessions) == 3);
  step_numbered(other, 1, 1);
  mock_restart(server);
  CHECK_CODE(QUBUS_E_SESSION_HELD_ELSEWHERE, try_step(other, 1, 1, 5000, NULL, &error), error);
  qubus_session_free(&session);
  qubus_session_free(&other);
  qubus_client_free(&client);
  mock_stop(server);
}

static void a_session_that_is_gone_after_a_restart_ends_its_steps(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_session *session = open_session(client), *again;
  qubus_error error = QUBUS_ERROR_INIT;
  CHECK_OK(qubus_session_resume(client, qubus_session_id(session), qubus_session_secret(session),
                                0, 5000, &again, &error), error);
  CHECK_OK(qubus_session_close(again, 5000, &error), error);
  mock_down(server);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, try_step(session, 1, 1, 50, NULL, &error), error);
  qubus_call *calls[3];
  for (int i = 0; i < 3; i++) calls[i] = start_step(session, i, 0, 0);
  mock_up(server);
  for (int i = 0; i < 3; i++) {
    CHECK_CODE(QUBUS_E_SESSION_NOT_FOUND, qubus_call_wait(calls[i], 5000, &error), error);
    qubus_call_free(&calls[i]);
  }
  CHECK_CODE(QUBUS_E_SESSION_NOT_FOUND, try_step(session, 1, 1, 5000, NULL, &error), error);
  qubus_session_free(&session);
  qubus_session_free(&again);
  qubus_client_free(&client);
  mock_stop(server);
}

static void a_forked_child_is_refused(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_session *session = open_session(client);
  qubus_error error = QUBUS_ERROR_INIT;
  pid_t child = fork();
  if (child == 0) {
    qubus_text *text;
    double parameters[2] = {1, 2};
    qubus_call *call;
    qubus_step step = QUBUS_STEP_INIT;
    step.parameters = parameters;
    int bad = try_step(session, 1, 1, 100, NULL, &error) != QUBUS_E_USED_AFTER_FORK ||
              qubus_session_step_start(session, &step, 0, &call, &error) !=
                  QUBUS_E_USED_AFTER_FORK ||
              qubus_session_close(session, 100, &error) != QUBUS_E_USED_AFTER_FORK ||
              qubus_session_describe(session, 100, &text, &error) != QUBUS_E_USED_AFTER_FORK ||
              qubus_session_detach(session) != QUBUS_E_USED_AFTER_FORK ||
              qubus_session_last_sequence(session) != 0;
    qubus_session_free(&session);
    qubus_client_free(&client);
    _exit(bad);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  step_numbered(session, 1, 1);
  CHECK(atomic_load(&server->record.closes) == 0);
  qubus_session_free(&session);
  qubus_client_free(&client);
  mock_stop(server);
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/// Against the mock; prints, and judges nothing: the budgets are checked against the daemon.
static void round_trips_are_measured(void) {
  enum { rounds = 4000 };
  static double times[rounds];
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_session *session = open_session(client);
  for (int i = 0; i < rounds; i++) {
    double start = seconds();
    step_numbered(session, i, (uint64_t)i + 1);
    times[i] = seconds() - start;
  }
  qsort(times, rounds, sizeof *times, compare);
  printf("  step: median %.1f µs, p99 %.1f µs\n", times[rounds / 2] * 1e6,
         times[rounds * 99 / 100] * 1e6);
  qubus_session_free(&session);
  qubus_client_free(&client);
  mock_stop(server);
}

int main(int argc, char **argv) {
  snprintf(endpoint, sizeof endpoint, "ipc:///tmp/qubus-session-test-%d.sock", (int)getpid());
  RUN(a_session_steps_from_open_to_close);
  RUN(a_program_without_parameters_has_steps_too);
  RUN(bad_arguments_are_named_before_anything_is_sent);
  RUN(what_the_server_refuses_takes_no_number);
  RUN(a_lost_connection_is_healed);
  RUN(an_idle_session_resumes_with_its_next_step);
  RUN(a_step_that_timed_out_goes_on_under_its_number);
  RUN(a_server_that_swallows_everything_hangs_nobody);
  RUN(a_session_held_elsewhere_is_told);
  RUN(a_restarted_client_goes_on_with_its_last_step);
  RUN(a_started_step_gives_a_result_with_all_arrays);
  RUN(pipelined_steps_keep_their_order);
  RUN(a_canceled_step_leaves_no_hole);
  RUN(malformed_answers_do_no_harm);
  RUN(free_closes_and_detach_does_not);
  RUN(a_handle_that_its_client_resumed_anew_closes_nothing);
  RUN(an_open_without_an_answer_makes_one_session_that_is_used);
  RUN(a_session_that_is_gone_after_a_restart_ends_its_steps);
  RUN(a_forked_child_is_refused);
  RUN(round_trips_are_measured);
  unlink(endpoint + 6);
  return 0;
}

/// libqubus against the mock server: what works, and what happens when the server misbehaves.

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
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_client *client;
  CHECK_OK(qubus_client_open(&options, &client, &error), error);
  return client;
}

static const qubus_job_spec *bell(void) {
  static qubus_pub pub = QUBUS_PUB_INIT;
  static qubus_job_spec spec = QUBUS_JOB_SPEC_INIT;
  static const char *tags[] = {"a", "b"};
  static double theta[2] = {0.5, 1.5};
  static uint64_t shape[1] = {2};
  static qubus_parameter parameter = QUBUS_PARAMETER_INIT;
  static qubus_pauli_term term = {"ZZ", 1.0};
  static qubus_observable observable = QUBUS_OBSERVABLE_INIT;
  parameter.name = "theta";
  parameter.rank = 1;
  parameter.shape = shape;
  parameter.values = theta;
  observable.terms = &term;
  observable.term_count = 1;
  pub.program = "OPENQASM 3; qubit[2] q;";
  pub.shots = 1024;
  pub.outputs = QUBUS_OUTPUT_COUNTS | QUBUS_OUTPUT_MEMORY;
  pub.parameters = &parameter;
  pub.parameter_count = 1;
  pub.observables = &observable;
  pub.observable_count = 1;
  spec.pubs = &pub;
  spec.pub_count = 1;
  spec.tags = tags;
  spec.tag_count = 2;
  spec.has_seed = 1;
  spec.seed = UINT64_MAX;
  spec.deadline_seconds = 2;
  spec.device_policy = "fastest";
  return &spec;
}

static qubus_job *submit(qubus_client *client) {
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_job *job;
  CHECK_OK(qubus_job_submit(client, bell(), 5000, NULL, 0, &job, &error), error);
  return job;
}

/// Reads the whole stream and checks that it runs 1, 2, … without gap or double.
static int read_stream(qubus_stream *stream, uint64_t after) {
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_event event = QUBUS_EVENT_INIT;
  uint64_t expected = after;
  int32_t code;
  while ((code = qubus_stream_next(stream, 10000, &event, &error)) == QUBUS_OK) {
    CHECK(event.sequence == ++expected);
    CHECK(strcmp(event.type, "status.changed") == 0 && event.json_bytes == strlen(event.json));
    CHECK(strstr(event.json, "\"sequence\":") != NULL);
  }
  CHECK_CODE(QUBUS_E_END_OF_STREAM, code, error);
  return (int)expected;
}

static void check_counts(const qubus_result *result) {
  qubus_error error = QUBUS_ERROR_INIT;
  uint64_t entries, count;
  uint32_t bit_count;
  char bits[3];
  CHECK_OK(qubus_result_counts_size(result, 0, 0, &entries, &bit_count, &error), error);
  CHECK(entries == 2 && bit_count == 2);
  CHECK_OK(qubus_result_counts_entry(result, 0, 0, 1, bits, 3, &count, &error), error);
  CHECK(strcmp(bits, "11") == 0 && count == 524);
  CHECK_CODE(QUBUS_E_BUFFER_TOO_SMALL,
             qubus_result_counts_entry(result, 0, 0, 1, bits, 2, &count, &error), error);
  CHECK_CODE(QUBUS_E_INVALID_ARGUMENT,
             qubus_result_counts_entry(result, 0, 0, 2, bits, 3, &count, &error), error);
  CHECK_CODE(QUBUS_E_INVALID_ARGUMENT,
             qubus_result_counts_size(result, 0, 1, &entries, &bit_count, &error), error);
  qubus_array array = QUBUS_ARRAY_INIT;
  CHECK_OK(qubus_result_find(result, 0, "statevector", &array, &error), error);
  CHECK(array.rank == 2 && array.data_type == QUBUS_TYPE_COMPLEX128 && array.bytes == 1024);
  CHECK((uintptr_t)array.data % 16 == 0);
  for (int i = 0; i < 128; i++) CHECK(((const double *)array.data)[i] == i / 8.0);
  CHECK_CODE(QUBUS_E_UNKNOWN_RESULT_ITEM, qubus_result_find(result, 0, "x", &array, &error),
             error);
}

static void a_job_goes_from_submit_to_counts(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_error error = QUBUS_ERROR_INIT;
  CHECK(strcmp(qubus_client_endpoint(client), endpoint) == 0);
  CHECK_OK(qubus_client_ping(client, 1000, &error), error);
  char key[64];
  qubus_job *job, *again;
  CHECK_OK(qubus_job_submit(client, bell(), 5000, key, sizeof key, &job, &error), error);
  CHECK(strlen(key) == 36 && !qubus_job_is_duplicate(job));
  qubus_job_spec spec = *bell();
  spec.idempotency_key = key;
  CHECK_OK(qubus_job_submit(client, &spec, 5000, NULL, 0, &again, &error), error);
  CHECK(qubus_job_is_duplicate(again) && strcmp(qubus_job_id(job), qubus_job_id(again)) == 0);
  qubus_stream *stream;
  CHECK_OK(qubus_stream_open(job, 0, 0, &stream, &error), error);
  CHECK(read_stream(stream, 0) == 5);
  int32_t status;
  CHECK_OK(qubus_job_wait(job, 5000, &status, &error), error);
  CHECK(status == QUBUS_JOB_SUCCEEDED);
  qubus_result *result;
  CHECK_OK(qubus_job_result(job, 5000, &result, &error), error);
  check_counts(result);
  CHECK(strstr(qubus_result_provenance_json(result), "\"engine\":\"mock\"") != NULL);
  CHECK(!qubus_result_is_partial(result) && qubus_result_array_count(result) == 4);
  int32_t outcome;
  uint64_t shots;
  CHECK_OK(qubus_job_cancel(job, "why", 5000, &outcome, &shots, &error), error);
  CHECK(outcome == QUBUS_CANCEL_DURING_RUN && shots == 77);
  qubus_text *text;
  CHECK_OK(qubus_job_describe(job, 5000, &text, &error), error);
  CHECK(strncmp(qubus_text_data(text), "{\"job_id\":\"0190", 15) == 0);
  qubus_text_free(&text);
  CHECK_OK(qubus_client_request(client, QUBUS_METHOD_HEALTH, NULL, NULL, 0, 5000, &text, &error),
           error);
  CHECK(strstr(qubus_text_data(text), "\"state\":\"serving\"") != NULL);
  qubus_text_free(&text);
  CHECK_OK(qubus_client_plan(client, bell(), 5000, &text, &error), error);
  qubus_text_free(&text);
  CHECK(text == NULL && qubus_text_bytes(NULL) == 0 && *qubus_text_data(NULL) == 0);
  // Parents first: children keep them alive.
  qubus_client_free(&client);
  CHECK(client == NULL);
  qubus_job_free(&again);
  CHECK_OK(qubus_job_status(job, 5000, &status, &error), error);
  qubus_job_free(&job);
  qubus_result_free(&result);
  qubus_stream_free(&stream);
  CHECK(atomic_load(&server->record.calls_before_hello) == 0);
  mock_stop(server);
}

static void a_batch_has_an_error_for_each_entry(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_error errors[3] = {QUBUS_ERROR_INIT, QUBUS_ERROR_INIT, QUBUS_ERROR_INIT};
  qubus_job_spec specs[3] = {*bell(), *bell(), *bell()};
  qubus_job *jobs[3];
  CHECK_OK(qubus_job_submit_batch(client, specs, 3, 5000, jobs, errors, &error), error);
  CHECK(jobs[0] && !jobs[1] && jobs[2] && errors[0].code == 0 && errors[2].code == 0);
  CHECK(errors[1].code == QUBUS_E_INVALID_SHOTS);
  CHECK(strcmp(errors[1].message, "the second is refused") == 0);
  qubus_job_free(&jobs[0]);
  qubus_job_free(&jobs[2]);
  qubus_client_free(&client);
  mock_stop(server);
}

static void an_error_carries_all_that_the_server_said(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  atomic_store(&server->behaviour.submit_error, QUBUS_E_QUEUE_CAPACITY_EXCEEDED);
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_job *job = (qubus_job *)&error;
  CHECK_CODE(QUBUS_E_QUEUE_CAPACITY_EXCEEDED,
             qubus_job_submit(client, bell(), 5000, NULL, 0, &job, &error), error);
  CHECK(job == NULL && error.retryable == 1 && error.retry_after_milliseconds == 250);
  CHECK(strcmp(error.name, "queue_capacity_exceeded") == 0 && error.line == 3);
  CHECK(error.column == 5 && strcmp(error.text, "r") == 0 && error.grpc_status == 9);
  CHECK(strcmp(error.trace_id, "trace-1") == 0 && error.action[0] != 0);
  CHECK(strcmp(error.details_json,
               "{\"violations\":[{\"field\":\"pubs[0].shots\",\"explanation\":\"must be "
               "positive\",\"limit\":\"1\"}],\"details\":{}}") == 0);
  // A struct of an older, shorter header is not written beyond its size.
  union {
    qubus_error error;
    char bytes[sizeof(qubus_error)];
  } small;
  memset(&small, 0x55, sizeof small);
  small.error.struct_size = 64;
  CHECK(qubus_job_submit(client, bell(), 5000, NULL, 0, &job, &small.error) ==
        QUBUS_E_QUEUE_CAPACITY_EXCEEDED);
  CHECK(small.error.code == QUBUS_E_QUEUE_CAPACITY_EXCEEDED);
  for (size_t i = 64; i < sizeof small; i++) CHECK(small.bytes[i] == 0x55);
  qubus_client_free(&client);
  mock_stop(server);
}

static void bad_arguments_are_named(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_text *text;
  qubus_argument unknown = {"pages", "3"}, number = {"page_size", "x"}, status = {"statuses", "no"};
  CHECK_CODE(QUBUS_E_INVALID_ARGUMENT,
             qubus_client_request(client, QUBUS_METHOD_LIST_JOBS, NULL, &unknown, 1, 0, &text,
                                  &error), error);
  CHECK(strstr(error.message, "\"pages\"") != NULL);
  CHECK(qubus_client_request(client, QUBUS_METHOD_LIST_JOBS, NULL, &number, 1, 0, &text, &error) ==
        QUBUS_E_INVALID_ARGUMENT);
  CHECK(strstr(error.message, "page_size") != NULL);
  CHECK(qubus_client_request(client, QUBUS_METHOD_LIST_JOBS, NULL, &status, 1, 0, &text, &error) ==
        QUBUS_E_INVALID_ARGUMENT);
  CHECK(qubus_client_request(client, 99, NULL, NULL, 0, 0, &text, &error) ==
        QUBUS_E_INVALID_ARGUMENT);
  CHECK(qubus_client_request(client, QUBUS_METHOD_GET_JOB, NULL, NULL, 0, 0, &text, &error) ==
        QUBUS_E_INVALID_ARGUMENT);
  CHECK(qubus_client_request(NULL, 1, NULL, NULL, 0, 0, &text, &error) ==
        QUBUS_E_INVALID_ARGUMENT);
  qubus_job *job;
  qubus_job_spec spec = *bell();
  spec.precision = "quadruple";
  CHECK(qubus_job_submit(client, &spec, 0, NULL, 0, &job, &error) == QUBUS_E_INVALID_ARGUMENT);
  CHECK(strstr(error.message, "quadruple") != NULL);
  static const char *some[2] = {"018f3f5e-7c1a-7000-8000-0123456789ab", NULL};
  spec = *bell();
  spec.after = some;
  spec.after_count = 2;
  CHECK(qubus_job_submit(client, &spec, 0, NULL, 0, &job, &error) == QUBUS_E_INVALID_ARGUMENT);
  CHECK(strstr(error.message, "after[1] is NULL") != NULL);
  spec.after_count = 1;
  spec.after_ok_count = 1;
  CHECK(qubus_job_submit(client, &spec, 0, NULL, 0, &job, &error) == QUBUS_E_INVALID_ARGUMENT);
  CHECK(strstr(error.message, "after_ok is NULL") != NULL);
  spec = *bell();
  qubus_pub pub = *spec.pubs;
  pub.program = NULL;
  spec.pubs = &pub;
  CHECK(qubus_job_submit(client, &spec, 0, NULL, 0, &job, &error) == QUBUS_E_INVALID_ARGUMENT);
  spec.struct_size = 8;
  CHECK(qubus_job_submit(client, &spec, 0, NULL, 0, &job, &error) == QUBUS_E_INVALID_ARGUMENT);
  char small_key[8];
  CHECK(qubus_job_submit(client, bell(), 0, small_key, 8, &job, &error) ==
        QUBUS_E_BUFFER_TOO_SMALL);
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  qubus_client *other;
  options.abi_version = 999;
  CHECK_CODE(QUBUS_E_ABI_MISMATCH, qubus_client_open(&options, &other, &error), error);
  options.abi_version = QUBUS_ABI_VERSION;
  char path[200];
  memset(path, 'x', sizeof path);
  memcpy(path, "ipc:///", 7);
  path[199] = 0;
  options.endpoint = path;
  CHECK_CODE(QUBUS_E_INVALID_ARGUMENT, qubus_client_open(&options, &other, &error), error);
  CHECK(strstr(error.message, "107") != NULL);
  options.endpoint = "http://x";
  CHECK_CODE(QUBUS_E_INVALID_ARGUMENT, qubus_client_open(&options, &other, &error), error);
  options.endpoint = endpoint;
  for (int i = 0; i < 2; i++) {
    options.spin_microseconds = i == 0 ? -1 : 10001;
    CHECK_CODE(QUBUS_E_INVALID_ARGUMENT, qubus_client_open(&options, &other, &error), error);
    CHECK(strstr(error.message, "spin_microseconds from 1 to 10,000") != NULL);
  }
  options.spin_microseconds = 1;
  CHECK_OK(qubus_client_open(&options, &other, &error), error);
  qubus_client_free(&other);
  qubus_client_free(&client);
  mock_stop(server);
}

static void a_request_beyond_the_server_s_limit_is_not_sent(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_job_spec spec = *bell();
  qubus_pub pub = *spec.pubs;
  qubus_job *job;
  char *program = calloc(1000001, 1);
  spec.pubs = &pub;
  pub.program = program;
  pub.program_bytes = 1000001;
  CHECK_CODE(QUBUS_E_MESSAGE_TOO_LARGE,
             qubus_job_submit(client, &spec, 5000, NULL, 0, &job, &error), error);
  CHECK(strstr(error.message, "1000000") != NULL);
  // NUL inside a program is the server's to judge.
  pub.program_bytes = 990000;
  CHECK_OK(qubus_job_submit(client, &spec, 5000, NULL, 0, &job, &error), error);
  qubus_job_free(&job);
  free(program);
  CHECK(atomic_load(&server->record.hellos) == 1);
  qubus_client_free(&client);
  mock_stop(server);
}

static void an_absent_server_is_named(void) {
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = "ipc:///nonexistent/place/qubus.sock";
  options.connect_timeout_milliseconds = 150;
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_client *client;
  double start = seconds();
  CHECK_CODE(QUBUS_E_CONNECTION_FAILED, qubus_client_open(&options, &client, &error), error);
  CHECK(client == NULL && strstr(error.message, "/nonexistent/place/qubus.sock") != NULL);
  CHECK(strstr(error.message, "there is no socket") != NULL && error.retryable);
  CHECK(seconds() - start < 2);
  options.endpoint = "tcp://127.0.0.1:9";
  CHECK_CODE(QUBUS_E_CONNECTION_FAILED, qubus_client_open(&options, &client, &error), error);
}

static void a_silent_server_ends_in_a_time_out(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_job *job;
  atomic_store(&server->behaviour.is_silent, 1);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED,
             qubus_job_submit(client, bell(), 100, NULL, 0, &job, &error), error);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, qubus_client_ping(client, 50, &error), error);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, qubus_client_ping(client, 0, &error), error);
  qubus_call *call;
  CHECK_OK(qubus_call_start(client, QUBUS_METHOD_HEALTH, NULL, NULL, 0, 80, 9, &call, &error),
           error);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, qubus_call_wait(call, 0, &error), error);
  CHECK(!qubus_call_is_done(call));
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, qubus_call_wait(call, -1, &error), error);
  CHECK(qubus_call_is_done(call));
  qubus_call_free(&call);
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = endpoint;
  options.connect_timeout_milliseconds = 100;
  qubus_client *other;
  CHECK_CODE(QUBUS_E_CONNECTION_FAILED, qubus_client_open(&options, &other, &error), error);
  qubus_client_free(&client);
  mock_stop(server);
}

static void another_protocol_version_is_refused(void) {
  mock *server = mock_start(endpoint);
  atomic_store(&server->behaviour.protocol_version, 2);
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = endpoint;
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_client *client;
  CHECK_CODE(QUBUS_E_UNSUPPORTED_PROTOCOL_VERSION, qubus_client_open(&options, &client, &error),
             error);
  atomic_store(&server->behaviour.protocol_version, 1);
  atomic_store(&server->behaviour.hello_error, QUBUS_E_SERVER_OVERLOADED);
  atomic_store(&server->behaviour.hello_refusals, 2);
  CHECK_OK(qubus_client_open(&options, &client, &error), error);
  CHECK(atomic_load(&server->record.hellos) >= 4);
  qubus_client_free(&client);
  mock_stop(server);
}

static void a_swallowed_hello_is_sent_again_on_a_fresh_socket(void) {
  mock *server = mock_start(endpoint);
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = endpoint;
  options.connect_timeout_milliseconds = 3000;
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_client *client;
  atomic_store(&server->behaviour.swallowed_hellos, 1);
  CHECK_OK(qubus_client_open(&options, &client, &error), error);
  CHECK(atomic_load(&server->record.hellos) == 2);
  CHECK(atomic_load(&server->record.connections) == 2);
  qubus_text *text;
  CHECK_OK(qubus_client_request(client, QUBUS_METHOD_HEALTH, NULL, NULL, 0, 5000, &text, &error),
           error);
  qubus_text_free(&text);
  CHECK(atomic_load(&server->record.calls_before_hello) == 0);
  qubus_client_free(&client);
  // A server that answers no HELLO at all is named when the time is over.
  atomic_store(&server->behaviour.swallowed_hellos, 1000);
  options.connect_timeout_milliseconds = 300;
  CHECK_CODE(QUBUS_E_CONNECTION_FAILED, qubus_client_open(&options, &client, &error), error);
  CHECK(strstr(error.message, "no answer to HELLO") != NULL);
  CHECK(atomic_load(&server->record.hellos) > 3);
  mock_stop(server);
}

static void malformed_answers_do_no_harm(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_text *text;
  atomic_store(&server->behaviour.has_strangers, 1);
  atomic_store(&server->behaviour.has_double_finals, 1);
  qubus_job *job = submit(client);
  atomic_store(&server->behaviour.truncated_bodies, 2);
  CHECK_CODE(QUBUS_E_PROTOCOL_ERROR,
             qubus_client_request(client, QUBUS_METHOD_HEALTH, NULL, NULL, 0, 5000, &text, &error),
             error);
  atomic_store(&server->behaviour.truncated_bodies, 0);
  // A torn envelope says nothing about which call it answers: the client connects anew and asks again.
  atomic_store(&server->behaviour.truncated_envelopes, 1);
  CHECK_OK(qubus_client_request(client, QUBUS_METHOD_HEALTH, NULL, NULL, 0, 5000, &text, &error),
           error);
  qubus_text_free(&text);
  CHECK(atomic_load(&server->record.hellos) == 2);
  atomic_store(&server->behaviour.missing_attachments, 1);
  qubus_result *result;
  CHECK_CODE(QUBUS_E_PROTOCOL_ERROR, qubus_job_result(job, 5000, &result, &error), error);
  CHECK_OK(qubus_job_result(job, 5000, &result, &error), error);
  check_counts(result);
  qubus_result_free(&result);
  qubus_job_free(&job);
  qubus_client_free(&client);
  mock_stop(server);
}

static void damaged_chunks_are_fetched_again_once(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_job *job = submit(client);
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_result *result;
  for (int is_chunked = 0; is_chunked < 2; is_chunked++) {
    atomic_store(&server->behaviour.is_chunked, is_chunked);
    atomic_store(&server->record.get_results, 0);
    CHECK_OK(qubus_job_result(job, 5000, &result, &error), error);
    check_counts(result);
    qubus_result_free(&result);
    CHECK(atomic_load(&server->record.get_results) == 1);
    atomic_store(&server->behaviour.corrupt_chunks, 3);
    CHECK_OK(qubus_job_result(job, 5000, &result, &error), error);
    check_counts(result);
    qubus_result_free(&result);
    CHECK(atomic_load(&server->record.get_results) == 3);
    atomic_store(&server->behaviour.corrupt_checksums, 1);
    CHECK_OK(qubus_job_result(job, 5000, &result, &error), error);
    qubus_result_free(&result);
    atomic_store(&server->behaviour.corrupt_chunks, 1000);
    CHECK_CODE(QUBUS_E_RESULT_CORRUPT, qubus_job_result(job, 5000, &result, &error), error);
    CHECK(result == NULL);
    atomic_store(&server->behaviour.corrupt_chunks, 0);
  }
  qubus_job_free(&job);
  qubus_client_free(&client);
  mock_stop(server);
}

static void a_job_without_a_result_tells_why(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_job *job = submit(client);
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_result *result;
  int32_t status;
  atomic_store(&server->behaviour.not_ready, 3);
  CHECK_OK(qubus_job_result(job, 5000, &result, &error), error);
  qubus_result_free(&result);
  atomic_store(&server->behaviour.not_ready, 1);
  CHECK_CODE(QUBUS_E_RESULT_NOT_READY, qubus_job_result(job, 0, &result, &error), error);
  CHECK(strcmp(error.message, "not yet: queued") == 0);
  atomic_store(&server->behaviour.job_status, QUBUS_JOB_FAILED);
  CHECK_CODE(QUBUS_E_DIVISION_BY_ZERO, qubus_job_result(job, 5000, &result, &error), error);
  CHECK(strcmp(error.message, "x / 0") == 0);
  CHECK_OK(qubus_job_wait(job, 5000, &status, &error), error);
  CHECK(status == QUBUS_JOB_FAILED);
  atomic_store(&server->behaviour.job_status, QUBUS_JOB_EXPIRED);
  CHECK_CODE(QUBUS_E_JOB_EXPIRED, qubus_job_result(job, 5000, &result, &error), error);
  atomic_store(&server->behaviour.job_status, QUBUS_JOB_CANCELED);
  CHECK_OK(qubus_job_result(job, 5000, &result, &error), error);
  CHECK(qubus_result_is_partial(result));
  qubus_result_free(&result);
  atomic_store(&server->behaviour.job_status, QUBUS_JOB_RUNNING);
  atomic_store(&server->behaviour.not_ready, 1000000);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, qubus_job_wait(job, 20, &status, &error), error);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, qubus_job_result(job, 20, &result, &error), error);
  qubus_job_free(&job);
  qubus_client_free(&client);
  mock_stop(server);
}

static void a_lost_acknowledgement_makes_no_second_job(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_job *job;
  atomic_store(&server->behaviour.lost_acknowledgements, 3);
  CHECK_OK(qubus_job_submit(client, bell(), 10000, NULL, 0, &job, &error), error);
  CHECK(atomic_load(&server->record.submits) == 4 && atomic_load(&server->record.jobs) == 1);
  CHECK(qubus_job_is_duplicate(job));
  qubus_job_free(&job);
  atomic_store(&server->behaviour.lost_acknowledgements, 100);
  char key[64];
  CHECK_CODE(QUBUS_E_CONNECTION_LOST,
             qubus_job_submit(client, bell(), 20000, key, sizeof key, &job, &error), error);
  CHECK(strlen(key) == 36 && strstr(error.message, "idempotency key") != NULL);
  CHECK(atomic_load(&server->record.submits) == 4 + 6);
  CHECK(atomic_load(&server->record.calls_before_hello) == 0);
  qubus_client_free(&client);
  mock_stop(server);
}

static void a_replay_is_not_sent_twice(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_call *call;
  atomic_store(&server->behaviour.is_silent, 1);
  CHECK_OK(qubus_call_start(client, QUBUS_METHOD_REPLAY_JOB, "id", NULL, 0, 5000, 0, &call,
                            &error), error);
  CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, qubus_call_wait(call, 20, &error), error);
  atomic_store(&server->behaviour.is_silent, 0);
  mock_restart(server);
  CHECK_CODE(QUBUS_E_CONNECTION_LOST, qubus_call_wait(call, 5000, &error), error);
  qubus_call_free(&call);
  qubus_client_free(&client);
  mock_stop(server);
}

static void calls_survive_a_restart(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_job *job = submit(client);
  for (int i = 0; i < 5; i++) {
    mock_restart(server);
    qubus_text *text;
    CHECK_OK(qubus_client_request(client, QUBUS_METHOD_HEALTH, NULL, NULL, 0, 5000, &text, &error),
             error);
    qubus_text_free(&text);
    mock_down(server);
    CHECK_CODE(QUBUS_E_DEADLINE_EXCEEDED, qubus_client_ping(client, 30, &error), error);
    qubus_call *call;
    CHECK_OK(qubus_job_result_start(job, 1000, 0, 0, &call, &error), error);
    mock_up(server);
    CHECK_OK(qubus_call_wait(call, 10000, &error), error);
    qubus_call_free(&call);
  }
  mock_goaway(server);
  qubus_text *text;
  CHECK_OK(qubus_client_request(client, QUBUS_METHOD_HEALTH, NULL, NULL, 0, 5000, &text, &error),
           error);
  qubus_text_free(&text);
  atomic_store(&server->behaviour.shutting_down, 1);
  CHECK_OK(qubus_client_request(client, QUBUS_METHOD_HEALTH, NULL, NULL, 0, 5000, &text, &error),
           error);
  qubus_text_free(&text);
  CHECK(atomic_load(&server->record.calls_before_hello) == 0);
  qubus_job_free(&job);
  qubus_client_free(&client);
  mock_stop(server);
}

static void a_stream_resumes_without_gap_or_double(void) {
  mock *server = mock_start(endpoint);
  mock_behaviour *b = &server->behaviour;
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = endpoint;
  options.stream_credit_bytes = 300;
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_client *client;
  CHECK_OK(qubus_client_open(&options, &client, &error), error);
  qubus_job *job = submit(client);
  qubus_stream *stream;
  atomic_store(&b->events, 200);
  CHECK_OK(qubus_stream_open(job, 50, 0, &stream, &error), error);
  CHECK(read_stream(stream, 50) == 200 && atomic_load(&server->record.credits) > 20);
  qubus_stream_free(&stream);
  atomic_store(&b->has_double_events, 1);
  atomic_store(&b->restart_after_event, 90);
  CHECK_OK(qubus_stream_open(job, 0, 0, &stream, &error), error);
  CHECK(read_stream(stream, 0) == 200);
  CHECK(atomic_load(&server->record.resumed_after) > 0);
  qubus_stream_free(&stream);
  atomic_store(&b->gap_after, 100);
  atomic_store(&b->gaps, 2);
  CHECK_OK(qubus_stream_open(job, 0, 0, &stream, &error), error);
  CHECK(read_stream(stream, 0) == 200);
  CHECK(atomic_load(&server->record.resumed_after) == 100);
  qubus_stream_free(&stream);
  // An event that the server never sends ends the stream with an error, not with a silent gap.
  atomic_store(&b->gaps, 1000000);
  CHECK_OK(qubus_stream_open(job, 0, 0, &stream, &error), error);
  qubus_event event = QUBUS_EVENT_INIT;
  int32_t code;
  while ((code = qubus_stream_next(stream, 5000, &event, &error)) == QUBUS_OK) {
    CHECK(event.sequence <= 100);
  }
  CHECK_CODE(QUBUS_E_PROTOCOL_ERROR, code, error);
  qubus_stream_free(&stream);
  // The last event itself is missing.
  atomic_store(&b->gap_after, 199);
  atomic_store(&b->gaps, 1);
  CHECK_OK(qubus_stream_open(job, 0, 0, &stream, &error), error);
  CHECK(read_stream(stream, 0) == 200);
  qubus_stream_free(&stream);
  qubus_job_free(&job);
  qubus_client_free(&client);
  mock_stop(server);
}

static void *cancel_later(void *stream) {
  CHECK(qubus_stream_cancel(stream) == QUBUS_OK);
  return NULL;
}

static void a_cancel_from_another_thread_ends_the_wait(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_job *job = submit(client);
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_stream *stream;
  qubus_event event = QUBUS_EVENT_INIT;
  pthread_t thread;
  atomic_store(&server->behaviour.is_silent, 1);
  CHECK_OK(qubus_stream_open(job, 0, 0, &stream, &error), error);
  CHECK(pthread_create(&thread, NULL, cancel_later, stream) == 0);
  CHECK_CODE(QUBUS_E_CALL_CANCELED, qubus_stream_next(stream, -1, &event, &error), error);
  pthread_join(thread, NULL);
  CHECK_CODE(QUBUS_E_CALL_CANCELED, qubus_stream_next(stream, -1, &event, &error), error);
  qubus_stream_free(&stream);
  qubus_call *call;
  CHECK_OK(qubus_call_start(client, QUBUS_METHOD_HEALTH, NULL, NULL, 0, -1, 0, &call, &error),
           error);
  CHECK(qubus_call_cancel(call) == QUBUS_OK);
  CHECK_CODE(QUBUS_E_CALL_CANCELED, qubus_call_wait(call, -1, &error), error);
  qubus_call_free(&call);
  qubus_job_free(&job);
  qubus_client_free(&client);
  mock_stop(server);
}

static void *close_later(void *client) {
  CHECK(qubus_client_close(client) == QUBUS_OK);
  return NULL;
}

static void close_ends_what_is_open(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_job *job = submit(client);
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_call *call;
  pthread_t thread;
  atomic_store(&server->behaviour.is_silent, 1);
  CHECK_OK(qubus_call_start(client, QUBUS_METHOD_HEALTH, NULL, NULL, 0, -1, 0, &call, &error),
           error);
  CHECK(pthread_create(&thread, NULL, close_later, client) == 0);
  CHECK_CODE(QUBUS_E_CLIENT_CLOSED, qubus_call_wait(call, -1, &error), error);
  pthread_join(thread, NULL);
  int32_t status;
  CHECK_CODE(QUBUS_E_CLIENT_CLOSED, qubus_job_status(job, 1000, &status, &error), error);
  CHECK_CODE(QUBUS_E_CLIENT_CLOSED, qubus_client_ping(client, 1000, &error), error);
  CHECK(qubus_client_descriptor(client, &error) == -1);
  CHECK(qubus_client_close(client) == QUBUS_OK);
  qubus_call_free(&call);
  qubus_client_free(&client);
  qubus_job_free(&job);
  mock_stop(server);
}

static void wait_readable(int descriptor) {
  struct pollfd polled = {descriptor, POLLIN, 0};
  CHECK(poll(&polled, 1, 10000) == 1);
}

static void completions_come_through_the_descriptor(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_error error = QUBUS_ERROR_INIT;
  enum { count = 50 };
  qubus_call *calls[count];
  uint64_t tag;
  CHECK_CODE(QUBUS_E_END_OF_STREAM, qubus_client_next_completion(client, &tag, &error), error);
  int descriptor = qubus_client_descriptor(client, &error);
  CHECK(descriptor >= 0 && descriptor == qubus_client_descriptor(client, &error));
  for (int i = 0; i < count; i++) {
    CHECK_OK(qubus_job_submit_start(client, bell(), (uint64_t)i + 1, &calls[i], &error), error);
  }
  uint64_t seen = 0;
  for (int done = 0; done < count;) {
    wait_readable(descriptor);
    while (qubus_client_next_completion(client, &tag, &error) == QUBUS_OK) {
      CHECK(tag >= 1 && tag <= count && !(seen >> (tag - 1) & 1));
      seen |= (uint64_t)1 << (tag - 1);
      CHECK(qubus_call_is_done(calls[tag - 1]));
      qubus_job *job;
      qubus_text *text;
      CHECK_CODE(QUBUS_E_INVALID_ARGUMENT, qubus_call_take_text(calls[tag - 1], &text, &error),
                 error);
      CHECK_OK(qubus_call_take_job(calls[tag - 1], &job, &error), error);
      CHECK(strlen(qubus_call_idempotency_key(calls[tag - 1])) == 36);
      qubus_job_free(&job);
      CHECK_CODE(QUBUS_E_INVALID_ARGUMENT, qubus_call_take_job(calls[tag - 1], &job, &error),
                 error);
      qubus_call_free(&calls[tag - 1]);
      done++;
    }
  }
  // A stream announces itself again only after it was read empty.
  qubus_job *job = submit(client);
  qubus_stream *stream;
  qubus_event event = QUBUS_EVENT_INIT;
  CHECK_OK(qubus_stream_open(job, 0, 77, &stream, &error), error);
  int32_t code = QUBUS_OK;
  for (int events = 0; code != QUBUS_E_END_OF_STREAM;) {
    wait_readable(descriptor);
    CHECK_OK(qubus_client_next_completion(client, &tag, &error), error);
    CHECK(tag == 77);
    while ((code = qubus_stream_next(stream, 0, &event, &error)) == QUBUS_OK) {
      CHECK(event.sequence == (uint64_t)++events);
    }
  }
  qubus_call *last;
  mock_restart(server);
  CHECK_OK(qubus_job_result_start(job, -1, 0, 5, &last, &error), error);
  wait_readable(descriptor);
  qubus_result *result;
  CHECK_OK(qubus_call_take_result(last, &result, &error), error);
  check_counts(result);
  qubus_result_free(&result);
  qubus_stream_free(&stream);
  qubus_call_free(&last);
  CHECK_CODE(QUBUS_E_END_OF_STREAM, qubus_client_next_completion(client, &tag, &error), error);
  qubus_client_free(&client);
  qubus_job_free(&job);
  mock_stop(server);
}

static void a_forked_child_is_refused(void) {
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_job *job = submit(client);
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_stream *stream;
  qubus_call *call;
  CHECK_OK(qubus_stream_open(job, 0, 0, &stream, &error), error);
  CHECK_OK(qubus_job_submit_start(client, bell(), 1, &call, &error), error);
  CHECK(qubus_client_descriptor(client, &error) >= 0);
  pid_t child = fork();
  if (child == 0) {
    int32_t status;
    uint64_t tag;
    qubus_event event = QUBUS_EVENT_INIT;
    qubus_job *other;
    int bad = qubus_client_ping(client, 100, &error) != QUBUS_E_USED_AFTER_FORK ||
              qubus_job_status(job, 100, &status, &error) != QUBUS_E_USED_AFTER_FORK ||
              qubus_job_submit(client, bell(), 100, NULL, 0, &other, &error) !=
                  QUBUS_E_USED_AFTER_FORK ||
              qubus_stream_next(stream, 100, &event, &error) != QUBUS_E_USED_AFTER_FORK ||
              qubus_call_wait(call, 100, &error) != QUBUS_E_USED_AFTER_FORK ||
              qubus_client_next_completion(client, &tag, &error) != QUBUS_E_USED_AFTER_FORK ||
              qubus_client_close(client) != QUBUS_E_USED_AFTER_FORK;
    qubus_stream_free(&stream);
    qubus_call_free(&call);
    qubus_job_free(&job);
    qubus_client_free(&client);
    _exit(bad);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK_OK(qubus_client_ping(client, 5000, &error), error);
  CHECK(read_stream(stream, 0) == 5);
  CHECK_OK(qubus_call_wait(call, 5000, &error), error);
  qubus_stream_free(&stream);
  qubus_call_free(&call);
  qubus_job_free(&job);
  qubus_client_free(&client);
  mock_stop(server);
}

static void frees_of_null_and_in_any_order_do_nothing_wrong(void) {
  qubus_client *client = NULL;
  qubus_job *job = NULL;
  qubus_client_free(NULL);
  qubus_client_free(&client);
  qubus_job_free(NULL);
  qubus_job_free(&job);
  qubus_call_free(NULL);
  qubus_stream_free(NULL);
  qubus_result_free(NULL);
  qubus_text_free(NULL);
  mock *server = mock_start(endpoint);
  qubus_error error = QUBUS_ERROR_INIT;
  for (int order = 0; order < 24; order++) {
    client = open_client();
    job = submit(client);
    qubus_stream *stream;
    qubus_call *call;
    CHECK_OK(qubus_stream_open(job, 0, 1, &stream, &error), error);
    CHECK_OK(qubus_job_result_start(job, -1, 0, 2, &call, &error), error);
    if (order & 1) CHECK(qubus_client_descriptor(client, &error) >= 0);
    int left[4] = {0, 1, 2, 3}, digits = order;
    for (int n = 4; n > 0; n--) {
      int pick = digits % n, what = left[pick];
      digits /= n;
      left[pick] = left[n - 1];
      if (what == 0) qubus_client_free(&client);
      if (what == 1) qubus_job_free(&job);
      if (what == 2) qubus_stream_free(&stream);
      if (what == 3) qubus_call_free(&call);
    }
  }
  mock_stop(server);
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void print_times(const char *what, double *times, int count) {
  qsort(times, (size_t)count, sizeof *times, compare);
  printf("  %s: median %.1f µs, p99 %.1f µs\n", what, times[count / 2] * 1e6,
         times[count * 99 / 100] * 1e6);
}

/// Against the mock; prints, and judges nothing: the budgets are checked against the daemon.
static void round_trips_are_measured(void) {
  enum { rounds = 4000 };
  static double ping[rounds], health[rounds], submits[rounds];
  mock *server = mock_start(endpoint);
  qubus_client *client = open_client();
  qubus_error error = QUBUS_ERROR_INIT;
  for (int i = 0; i < rounds; i++) {
    double start = seconds();
    CHECK_OK(qubus_client_ping(client, 5000, &error), error);
    ping[i] = seconds() - start;
    qubus_text *text;
    start = seconds();
    CHECK_OK(qubus_client_request(client, QUBUS_METHOD_HEALTH, NULL, NULL, 0, 5000, &text, &error),
             error);
    health[i] = seconds() - start;
    qubus_text_free(&text);
    start = seconds();
    qubus_job *job = submit(client);
    submits[i] = seconds() - start;
    qubus_job_free(&job);
  }
  print_times("ping", ping, rounds);
  print_times("health", health, rounds);
  print_times("submit", submits, rounds);
  qubus_client_free(&client);
  mock_stop(server);
}

int main(int argc, char **argv) {
  snprintf(endpoint, sizeof endpoint, "ipc:///tmp/qubus-client-test-%d.sock", (int)getpid());
  RUN(a_job_goes_from_submit_to_counts);
  RUN(a_batch_has_an_error_for_each_entry);
  RUN(an_error_carries_all_that_the_server_said);
  RUN(bad_arguments_are_named);
  RUN(a_request_beyond_the_server_s_limit_is_not_sent);
  RUN(an_absent_server_is_named);
  RUN(a_silent_server_ends_in_a_time_out);
  RUN(another_protocol_version_is_refused);
  RUN(a_swallowed_hello_is_sent_again_on_a_fresh_socket);
  RUN(malformed_answers_do_no_harm);
  RUN(damaged_chunks_are_fetched_again_once);
  RUN(a_job_without_a_result_tells_why);
  RUN(a_lost_acknowledgement_makes_no_second_job);
  RUN(a_replay_is_not_sent_twice);
  RUN(calls_survive_a_restart);
  RUN(a_stream_resumes_without_gap_or_double);
  RUN(a_cancel_from_another_thread_ends_the_wait);
  RUN(close_ends_what_is_open);
  RUN(completions_come_through_the_descriptor);
  RUN(a_forked_child_is_refused);
  RUN(frees_of_null_and_in_any_order_do_nothing_wrong);
  RUN(round_trips_are_measured);
  unlink(endpoint + 6);
  return 0;
}

/// Many threads on one client, with restarts of the server meanwhile; meant for ThreadSanitizer.
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "check.h"
#include "mock.h"
#include "qubus.h"

enum { workers = 6, rounds = 60, restarts = 5 };

static qubus_client *client;
static atomic_int finished;
static atomic_int jobs_expected;

static void job_spec(qubus_job_spec *spec, qubus_pub *pub) {
  *pub = (qubus_pub)QUBUS_PUB_INIT;
  *spec = (qubus_job_spec)QUBUS_JOB_SPEC_INIT;
  pub->program = "OPENQASM 3;";
  pub->shots = 1;
  spec->pubs = pub;
  spec->pub_count = 1;
}

static void watch_whole(qubus_job *job) {
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_stream *stream;
  qubus_event event = QUBUS_EVENT_INIT;
  uint64_t expected = 0;
  int32_t code;
  CHECK_OK(qubus_stream_open(job, 0, 0, &stream, &error), error);
  while ((code = qubus_stream_next(stream, 30000, &event, &error)) == QUBUS_OK) {
    CHECK(event.sequence == ++expected);
  }
  CHECK_CODE(QUBUS_E_END_OF_STREAM, code, error);
  CHECK(expected == 5);
  qubus_stream_free(&stream);
}

static void *work(void *argument) {
  unsigned kind = (unsigned)(uintptr_t)argument;
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_job_spec spec;
  qubus_pub pub;
  job_spec(&spec, &pub);
  spec.has_seed = 1;
  for (int i = 0; i < rounds; i++) {
    const char *token = i % 3 == 0 ? NULL : i % 3 == 1 ? "a.token" : "another.token";
    CHECK_OK(qubus_client_set_token(client, token, &error), error);
    qubus_job *job;
    CHECK_OK(qubus_job_submit(client, &spec, 30000, NULL, 0, &job, &error), error);
    atomic_fetch_add(&jobs_expected, 1);
    if ((kind + (unsigned)i) % 3 == 0) watch_whole(job);
    if ((kind + (unsigned)i) % 3 == 1) {
      qubus_result *result;
      CHECK_OK(qubus_job_result(job, 30000, &result, &error), error);
      qubus_result_free(&result);
    }
    if ((kind + (unsigned)i) % 3 == 2) {
      qubus_call *call;
      CHECK_OK(qubus_job_result_start(job, -1, 0, 0, &call, &error), error);
      CHECK(qubus_call_cancel(call) == QUBUS_OK);
      int32_t code = qubus_call_wait(call, -1, &error);
      CHECK(code == QUBUS_OK || code == QUBUS_E_CALL_CANCELED);
      qubus_call_free(&call);
      CHECK_OK(qubus_job_cancel(job, NULL, 30000, NULL, NULL, &error), error);
    }
    CHECK_OK(qubus_client_ping(client, 30000, &error), error);
    qubus_job_free(&job);
  }
  atomic_fetch_add(&finished, 1);
  return NULL;
}

/// Starts calls and takes their completions through the descriptor, beside the blocking callers.
static void *pipeline(void *unused) {
  (void)unused;
  enum { count = 200 };
  static qubus_call *calls[count];
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_job_spec spec;
  qubus_pub pub;
  job_spec(&spec, &pub);
  int descriptor = qubus_client_descriptor(client, &error);
  CHECK(descriptor >= 0);
  for (int i = 0; i < count; i++) {
    CHECK_OK(qubus_job_submit_start(client, &spec, (uint64_t)i + 1, &calls[i], &error), error);
    atomic_fetch_add(&jobs_expected, 1);
  }
  for (int done = 0; done < count;) {
    struct pollfd polled = {descriptor, POLLIN, 0};
    CHECK(poll(&polled, 1, 60000) == 1);
    uint64_t tag;
    while (qubus_client_next_completion(client, &tag, &error) == QUBUS_OK) {
      qubus_job *job;
      CHECK_OK(qubus_call_take_job(calls[tag - 1], &job, &error), error);
      qubus_job_free(&job);
      qubus_call_free(&calls[tag - 1]);
      done++;
    }
  }
  atomic_fetch_add(&finished, 1);
  return NULL;
}

int main(void) {
  char endpoint[128];
  snprintf(endpoint, sizeof endpoint, "ipc:///tmp/qubus-threads-test-%d.sock", (int)getpid());
  mock *server = mock_start(endpoint);
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = endpoint;
  options.submit_retries = 1000;
  qubus_error error = QUBUS_ERROR_INIT;
  for (int has_restarts = 0; has_restarts < 2; has_restarts++) {
    CHECK_OK(qubus_client_open(&options, &client, &error), error);
    atomic_store(&finished, 0);
    pthread_t threads[workers + 1];
    for (uintptr_t i = 0; i < workers; i++) {
      CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    }
    CHECK(pthread_create(&threads[workers], NULL, pipeline, NULL) == 0);
    for (int i = 0; has_restarts && i < restarts; i++) {
      // After so many more submits, so that every restart falls into the work.
      int goal = atomic_load(&server->record.submits) + 40;
      while (atomic_load(&server->record.submits) < goal &&
             atomic_load(&finished) < workers + 1) {
        sched_yield();
      }
      mock_restart(server);
    }
    for (int i = 0; i <= workers; i++) pthread_join(threads[i], NULL);
    qubus_client_free(&client);
  }
  CHECK(atomic_load(&server->record.jobs) == atomic_load(&jobs_expected));
  CHECK(atomic_load(&server->record.calls_before_hello) == 0);
  printf("%d jobs, %d submits sent, %d connections\n", atomic_load(&server->record.jobs),
         atomic_load(&server->record.submits), atomic_load(&server->record.connections));
  mock_stop(server);
  unlink(endpoint + 6);
  return 0;
}

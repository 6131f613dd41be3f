// Times the main path from C over libqubus: one JSON line per figure, microseconds.
// usage: latency ENDPOINT health|submit|bell|step|pipeline COUNT [CLIENTS WINDOW]
// Of curve:// endpoints the keys come from QUBUS_SERVER_KEY and QUBUS_KEY_FILE.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "qubus.h"

static const char *const bell =
    "OPENQASM 3;\ninclude \"stdgates.inc\";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\n"
    "c = measure q;\n";

static double now_microseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void stop_on(int32_t code, const qubus_error *error) {
  if (code == QUBUS_OK) return;
  fprintf(stderr, "%s (%d): %s\n", error->name, (int)code, error->message);
  exit(1);
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void report(const char *name, double *samples, int count) {
  qsort(samples, (size_t)count, sizeof *samples, ascending);
  printf("{\"figure\": \"%s\", \"client\": \"c\", \"median_us\": %.1f, \"p99_us\": %.1f, "
         "\"minimum_us\": %.1f, \"count\": %d}\n",
         name, samples[count / 2], samples[(int)(count * 0.99)], samples[0], count);
}

static void fill(qubus_job_spec *spec, qubus_pub *pub, uint64_t seed) {
  *pub = (qubus_pub)QUBUS_PUB_INIT;
  pub->program = bell;
  pub->shots = 1024;
  *spec = (qubus_job_spec)QUBUS_JOB_SPEC_INIT;
  spec->pubs = pub;
  spec->pub_count = 1;
  spec->has_seed = 1;
  spec->seed = seed;
}

static qubus_client *open_client(const char *endpoint) {
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = endpoint;
  qubus_client *client = NULL;
  stop_on(qubus_client_open(&options, &client, &error), &error);
  return client;
}

static void time_calls(const char *endpoint, const char *what, int count) {
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_client *client = open_client(endpoint);
  double *samples = calloc((size_t)count, sizeof *samples);
  int warm_up = count / 10 + 5;
  for (int i = -warm_up; i < count; i++) {
    qubus_job *job = NULL;
    qubus_result *result = NULL;
    qubus_text *text = NULL;
    qubus_pub pub;
    qubus_job_spec spec;
    fill(&spec, &pub, (uint64_t)(i + warm_up));
    double start = now_microseconds();
    if (strcmp(what, "health") == 0) {
      stop_on(qubus_client_request(client, QUBUS_METHOD_HEALTH, NULL, NULL, 0, 10000, &text, &error), &error);
    } else {
      stop_on(qubus_job_submit(client, &spec, 10000, NULL, 0, &job, &error), &error);
      if (strcmp(what, "bell") == 0) stop_on(qubus_job_result(job, 10000, &result, &error), &error);
    }
    if (i >= 0) samples[i] = now_microseconds() - start;
    if (strcmp(what, "submit") == 0) {
      int32_t status = 0;  // drain, so that the next submit finds an idle daemon
      stop_on(qubus_job_wait(job, 10000, &status, &error), &error);
    }
    qubus_text_free(&text);
    qubus_result_free(&result);
    qubus_job_free(&job);
  }
  report(what, samples, count);
  free(samples);
  qubus_client_free(&client);
}

/// Steps of the smallest session there is: what is left is the way there and back.
static void time_steps(const char *endpoint, int count) {
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_client *client = open_client(endpoint);
  qubus_pauli_term term = {"Z", 1.0};
  qubus_observable observable = QUBUS_OBSERVABLE_INIT;
  observable.terms = &term;
  observable.term_count = 1;
  qubus_session_spec spec = QUBUS_SESSION_SPEC_INIT;
  spec.program = "OPENQASM 3;\ninclude \"stdgates.inc\";\ninput float a;\nqubit q;\nrx(a) q;\n";
  spec.observables = &observable;
  spec.observable_count = 1;
  qubus_session *session = NULL;
  stop_on(qubus_session_open(client, &spec, 60000, &session, &error), &error);
  double value = 0, parameter = 0;
  qubus_step step = QUBUS_STEP_INIT;
  step.parameters = &parameter;
  step.outputs = QUBUS_STEP_VALUES;
  step.values = &value;
  step.values_capacity = 1;
  double *samples = calloc((size_t)count, sizeof *samples);
  for (int i = -count / 10; i < count; i++) {
    parameter = i * 1e-3;
    double start = now_microseconds();
    stop_on(qubus_session_step(session, &step, 10000, &error), &error);
    if (i >= 0) samples[i] = now_microseconds() - start;
  }
  report(strncmp(endpoint, "curve:", 6) == 0 ? "step, curve" : "step", samples, count);
  free(samples);
  stop_on(qubus_session_close(session, 10000, &error), &error);
  qubus_session_free(&session);
  qubus_client_free(&client);
}

typedef struct lane {
  const char *endpoint;
  int count, window;
  uint64_t seed;
  char last_job[64];
} lane;

static void *pipeline_lane(void *argument) {
  lane *self = argument;
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_client *client = open_client(self->endpoint);
  qubus_call **calls = calloc((size_t)self->window, sizeof *calls);
  for (int i = 0; i < self->count + self->window; i++) {
    qubus_call **slot = &calls[i % self->window];
    if (*slot != NULL) {
      qubus_job *job = NULL;
      stop_on(qubus_call_wait(*slot, 60000, &error), &error);
      stop_on(qubus_call_take_job(*slot, &job, &error), &error);
      snprintf(self->last_job, sizeof self->last_job, "%s", qubus_job_id(job));
      qubus_job_free(&job);
      qubus_call_free(slot);
    }
    if (i < self->count) {
      qubus_pub pub;
      qubus_job_spec spec;
      fill(&spec, &pub, self->seed + (uint64_t)i);
      spec.priority_class = QUBUS_PRIORITY_BATCH;
      stop_on(qubus_job_submit_start(client, &spec, 0, slot, &error), &error);
    }
  }
  free(calls);
  qubus_client_free(&client);
  return NULL;
}

static void time_pipeline(const char *endpoint, int count, int clients, int window) {
  pthread_t *threads = calloc((size_t)clients, sizeof *threads);
  lane *lanes = calloc((size_t)clients, sizeof *lanes);
  qubus_error error = QUBUS_ERROR_INIT;
  double start = now_microseconds();
  for (int i = 0; i < clients; i++) {
    lanes[i] = (lane){endpoint, count / clients, window, (uint64_t)i << 32, ""};
    pthread_create(&threads[i], NULL, pipeline_lane, &lanes[i]);
  }
  for (int i = 0; i < clients; i++) pthread_join(threads[i], NULL);
  double acknowledged = now_microseconds() - start;
  qubus_client *client = open_client(endpoint);
  for (int i = 0; i < clients; i++) {
    qubus_job *job = NULL;
    int32_t status = 0;
    stop_on(qubus_job_attach(client, lanes[i].last_job, &job, &error), &error);
    stop_on(qubus_job_wait(job, 600000, &status, &error), &error);
    qubus_job_free(&job);
  }
  double finished = now_microseconds() - start;
  int total = count / clients * clients;
  printf("{\"figure\": \"pipeline\", \"client\": \"c\", \"clients\": %d, \"window\": %d, \"jobs\": %d, "
         "\"acknowledged_per_second\": %.0f, \"terminal_per_second\": %.0f}\n",
         clients, window, total, total / acknowledged * 1e6, total / finished * 1e6);
  qubus_client_free(&client);
  free(threads);
  free(lanes);
}

int main(int argc, char **argv) {
  if (argc < 4) return 64;
  int count = atoi(argv[3]);
  if (strcmp(argv[2], "step") == 0) {
    time_steps(argv[1], count);
  } else if (strcmp(argv[2], "pipeline") == 0) {
    time_pipeline(argv[1], count, argc > 4 ? atoi(argv[4]) : 8, argc > 5 ? atoi(argv[5]) : 64);
  } else {
    time_calls(argv[1], argv[2], count);
  }
  return 0;
}

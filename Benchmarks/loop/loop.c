// Times steps of a session from C over libqubus: one JSON line, microseconds.
// usage: loop ENDPOINT CASE energy|gradient SECONDS     (CASE: a folder, see case.py)
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "qubus.h"

enum { terms_maximum = 4096, samples_maximum = 4000, warm_up = 3 };

typedef struct problem {
  char *program;
  qubus_pauli_term terms[terms_maximum];
  uint32_t term_count;
  double *rows;
  size_t numbers;
} problem;

static void stop(const char *what, const char *why) {
  fprintf(stderr, "loop: %s: %s\n", what, why);
  exit(1);
}

static void stop_on(int32_t code, const qubus_error *error) {
  if (code != QUBUS_OK) stop(error->name, error->message);
}

static double now_microseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/// The whole of a file, with a NUL behind it.
static char *read_file(const char *folder, const char *name, size_t *bytes) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) stop(path, "cannot be read");
  long size = ftell(file);
  rewind(file);
  char *data = malloc((size_t)size + 1);
  if (data == NULL || fread(data, 1, (size_t)size, file) != (size_t)size) {
    stop(path, "cannot be read");
  }
  data[size] = 0;
  fclose(file);
  if (bytes != NULL) *bytes = (size_t)size;
  return data;
}

static void read_problem(const char *folder, problem *out) {
  size_t bytes;
  out->program = read_file(folder, "program.qasm", NULL);
  out->rows = (double *)(void *)read_file(folder, "parameters.f64", &bytes);
  out->numbers = bytes / sizeof *out->rows;
  out->term_count = 0;
  // The texts stay: the terms point into them.
  char *text = read_file(folder, "observable.txt", NULL);
  for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    char *space = strchr(line, ' ');
    if (space == NULL || out->term_count == terms_maximum) stop(folder, "no observable");
    *space = 0;
    out->terms[out->term_count++] = (qubus_pauli_term){line, strtod(space + 1, NULL)};
  }
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void print_figures(
    double *samples, size_t count, double value, const double *gradient, uint64_t parameters) {
  qsort(samples, count, sizeof *samples, ascending);
  printf("{\"p50_us\": %.3f, \"p99_us\": %.3f, \"minimum_us\": %.3f, \"count\": %zu, "
         "\"value\": %.17g, \"gradient\": ",
         samples[count / 2], samples[(size_t)((double)count * 0.99)], samples[0], count, value);
  if (gradient == NULL) {
    printf("null}\n");
    return;
  }
  for (uint64_t i = 0; i < parameters; i++) printf("%s%.17g", i ? ", " : "[", gradient[i]);
  printf("]}\n");
}

static void time_steps(
    qubus_session *session, const problem *problem, int has_gradient, double seconds) {
  qubus_error error = QUBUS_ERROR_INIT;
  static double samples[samples_maximum];
  uint64_t parameters = qubus_session_parameter_count(session);
  size_t rows = problem->numbers / parameters, count = 0;
  double value, first = NAN;
  double *gradient = calloc(parameters, sizeof *gradient), *kept = calloc(parameters, sizeof *kept);
  if (gradient == NULL || kept == NULL) stop("memory", "there is none");
  qubus_step step = QUBUS_STEP_INIT;
  step.outputs = QUBUS_STEP_VALUES | (has_gradient ? QUBUS_STEP_GRADIENTS : 0);
  step.values = &value;
  step.values_capacity = 1;
  step.gradients = gradient;
  step.gradients_capacity = parameters;
  for (size_t i = 0; i < warm_up; i++) {
    step.parameters = problem->rows + i % rows * parameters;
    stop_on(qubus_session_step(session, &step, -1, &error), &error);
    if (i > 0) continue;
    first = value;
    memcpy(kept, gradient, parameters * sizeof *kept);
  }
  double began = now_microseconds();
  while (count < samples_maximum) {
    step.parameters = problem->rows + count % rows * parameters;
    double start = now_microseconds();
    int32_t code = qubus_session_step(session, &step, -1, &error);
    double end = now_microseconds();
    stop_on(code, &error);
    samples[count++] = end - start;
    if (end - began > seconds * 1e6 && count >= 3) break;
  }
  print_figures(samples, count, first, has_gradient ? kept : NULL, parameters);
  free(gradient);
  free(kept);
}

int main(int argc, char **argv) {
  if (argc != 5) return 64;
  static problem problem;
  read_problem(argv[2], &problem);
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.endpoint = argv[1];
  qubus_client *client = NULL;
  stop_on(qubus_client_open(&options, &client, &error), &error);
  qubus_observable observable = QUBUS_OBSERVABLE_INIT;
  observable.terms = problem.terms;
  observable.term_count = problem.term_count;
  qubus_session_spec spec = QUBUS_SESSION_SPEC_INIT;
  spec.program = problem.program;
  spec.observables = &observable;
  spec.observable_count = 1;
  qubus_session *session = NULL;
  stop_on(qubus_session_open(client, &spec, 60000, &session, &error), &error);
  time_steps(session, &problem, strcmp(argv[3], "gradient") == 0, atof(argv[4]));
  stop_on(qubus_session_close(session, 10000, &error), &error);
  qubus_session_free(&session);
  qubus_client_free(&client);
  return 0;
}

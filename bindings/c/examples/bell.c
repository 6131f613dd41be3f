/// Submits a Bell circuit, follows its events, prints its counts; then shows a cancel and an error.
///
///   bell [ENDPOINT]
///
/// Exit status 0 when everything went as it should.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "qubus.h"

static const char bell[] =
    "OPENQASM 3;\n"
    "include \"stdgates.inc\";\n"
    "qubit[2] q;\n"
    "bit[2] c;\n"
    "h q[0];\n"
    "cx q[0], q[1];\n"
    "c = measure q;\n";

static int report(const char *what, const qubus_error *error) {
  fprintf(stderr, "%s: %s (%d): %s\n  %s\n", what, error->name, (int)error->code, error->message,
          error->action);
  if (error->excerpt[0]) fprintf(stderr, "%s\n", error->excerpt);
  return 1;
}

static int follow(qubus_job *job, qubus_error *error) {
  qubus_stream *stream;
  if (qubus_stream_open(job, 0, 0, &stream, error)) return report("events", error);
  qubus_event event = QUBUS_EVENT_INIT;
  int32_t code;
  while ((code = qubus_stream_next(stream, 30000, &event, error)) == QUBUS_OK) {
    printf("event %" PRIu64 " %s: %s %s\n", event.sequence, event.type,
           qubus_job_status_name(event.status), event.reason);
  }
  qubus_stream_free(&stream);
  return code == QUBUS_E_END_OF_STREAM ? 0 : report("events", error);
}

static int print_counts(const qubus_result *result, qubus_error *error) {
  uint64_t entries;
  uint32_t bit_count;
  if (qubus_result_counts_size(result, 0, 0, &entries, &bit_count, error)) {
    return report("counts", error);
  }
  uint64_t total = 0;
  for (uint64_t i = 0; i < entries; i++) {
    char bits[65];
    uint64_t count;
    if (qubus_result_counts_entry(result, 0, 0, i, bits, sizeof bits, &count, error)) {
      return report("counts", error);
    }
    printf("%s %" PRIu64 "\n", bits, count);
    total += count;
  }
  return total == 1024 ? 0 : 1;
}

static int run_bell(qubus_client *client, const qubus_job_spec *spec) {
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_job *job;
  char key[64];
  if (qubus_job_submit(client, spec, 10000, key, sizeof key, &job, &error)) {
    fprintf(stderr, "submit again with the key %s\n", key);
    return report("submit", &error);
  }
  printf("job %s\n", qubus_job_id(job));
  int failed = follow(job, &error);
  qubus_result *result = NULL;
  if (!failed && qubus_job_result(job, 30000, &result, &error)) failed = report("result", &error);
  if (!failed) failed = print_counts(result, &error);
  if (!failed) printf("provenance %s\n", qubus_result_provenance_json(result));
  qubus_result_free(&result);
  qubus_job_free(&job);
  return failed;
}

static int cancel_one(qubus_client *client, const qubus_job_spec *spec) {
  static const char *const outcomes[] = {"unknown", "before start", "during run", "too late"};
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_job *job;
  if (qubus_job_submit(client, spec, 10000, NULL, 0, &job, &error)) {
    return report("submit", &error);
  }
  int32_t outcome;
  uint64_t shots;
  int failed = qubus_job_cancel(job, "shown by the example", 10000, &outcome, &shots, &error);
  if (failed) {
    report("cancel", &error);
  } else {
    printf("cancel: %s, %" PRIu64 " shots done\n", outcomes[outcome & 3], shots);
  }
  qubus_job_free(&job);
  return failed != 0;
}

static int refuse_one(qubus_client *client, qubus_job_spec spec, qubus_pub pub) {
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_job *job = NULL;
  pub.program = "OPENQASM 3;\nqubit[2] q;\nh r[0];\n";
  spec.pubs = &pub;
  if (qubus_job_submit(client, &spec, 10000, NULL, 0, &job, &error) == QUBUS_OK) {
    fprintf(stderr, "a program with an undeclared register was accepted\n");
    qubus_job_free(&job);
    return 1;
  }
  printf("refused: %s, line %" PRIu32 ", column %" PRIu32 ": %s\n", error.name, error.line,
         error.column, error.message);
  return 0;
}

int main(int argc, char **argv) {
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.client_name = "bell.c";
  if (argc > 1) options.endpoint = argv[1];
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_client *client;
  if (qubus_client_open(&options, &client, &error)) return report("open", &error);

  qubus_pub pub = QUBUS_PUB_INIT;
  pub.program = bell;
  pub.shots = 1024;
  qubus_job_spec spec = QUBUS_JOB_SPEC_INIT;
  spec.pubs = &pub;
  spec.pub_count = 1;
  spec.has_seed = 1;
  spec.seed = 7;
  spec.name = "bell";
  int failed = run_bell(client, &spec);
  if (!failed) failed = cancel_one(client, &spec);
  if (!failed) failed = refuse_one(client, spec, pub);
  qubus_client_free(&client);
  return failed;
}

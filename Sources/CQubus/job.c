#include "internal.h"

#include <stdlib.h>
#include <string.h>

const char *qubus_job_status_name(int32_t status) {
  static const char *const names[] = {
      "unknown", "accepted",  "queued", "reserved", "running", "processing_results",
      "succeeded", "failed", "canceled", "expired"};
  return status >= 1 && status <= QUBUS_JOB_EXPIRED ? names[status] : names[0];
}

int32_t qubus_job_status_is_terminal(int32_t status) {
  return status >= QUBUS_JOB_SUCCEEDED && status <= QUBUS_JOB_EXPIRED;
}

int32_t job_create(
    qubus_client *client, const char *id, int32_t is_duplicate, qubus_job **out,
    qubus_error *error) {
  qubus_job *job = malloc(sizeof *job + strlen(id) + 1);
  if (job == NULL) return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a job");
  atomic_init(&job->references, 1);
  job->client = client;
  job->is_duplicate = is_duplicate != 0;
  strcpy(job->id, id);
  client_retain(client);
  *out = job;
  return QUBUS_OK;
}

void qubus_job_free(qubus_job **job) {
  if (job == NULL || *job == NULL) return;
  qubus_job *freed = *job;
  *job = NULL;
  if (client_is_foreign(freed->client)) return;
  qubus_client *client = freed->client;
  free(freed);
  client_release(client);
}

static int32_t job_check(const qubus_job *job, qubus_error *error) {
  error_clear(error);
  if (job == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "job is NULL");
  return client_check(job->client, error);
}

int32_t qubus_job_attach(
    qubus_client *client, const char *job_id, qubus_job **out, qubus_error *error) {
  if (out != NULL) *out = NULL;
  int32_t code = client_check(client, error);
  if (code != QUBUS_OK) return code;
  if (out == NULL || job_id == NULL || job_id[0] == 0) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "out or job_id is NULL or empty");
  }
  return job_create(client, job_id, 0, out, error);
}

const char *qubus_job_id(const qubus_job *job) { return job != NULL ? job->id : ""; }

int32_t qubus_job_is_duplicate(const qubus_job *job) {
  return job != NULL ? job->is_duplicate : 0;
}

// Questions about one job

/// Asks for the job and lets `use` look at it.
static int32_t get_job(
    qubus_job *job, int64_t timeout, int32_t (*use)(const Qubus__V1__Job *, void *, qubus_error *),
    void *context, qubus_error *error) {
  Qubus__V1__GetJobRequest request = QUBUS__V1__GET_JOB_REQUEST__INIT;
  request.job_id = job->id;
  qubus_call *call;
  int32_t code = call_create_for(job->client, &method_get_job, &request.base, 0, &call, error);
  if (code == QUBUS_OK) code = call_run(call, timeout, error);
  if (code != QUBUS_OK) return code;
  uint8_t buffer[2048];
  qubus_arena arena;
  ProtobufCMessage *message;
  qubus_arena_init(&arena, buffer, sizeof buffer,
                   message_budget(zmq_msg_size(&call->final.body)));
  code = call_decode(call, &arena, &message, error);
  if (code == QUBUS_OK) {
    const Qubus__V1__GetJobResponse *response = (const void *)message;
    code = response->job != NULL
               ? use(response->job, context, error)
               : error_set(error, QUBUS_E_PROTOCOL_ERROR, "the server's answer has no job");
  }
  qubus_arena_free(&arena);
  qubus_call_free(&call);
  return code;
}

static int32_t use_status(const Qubus__V1__Job *job, void *status, qubus_error *error) {
  (void)error;
  *(int32_t *)status = (int32_t)job->status;
  return QUBUS_OK;
}

static int32_t use_text(const Qubus__V1__Job *job, void *out, qubus_error *error) {
  return text_of(&job->base, out, error);
}

int32_t qubus_job_status(
    qubus_job *job, int64_t timeout_milliseconds, int32_t *status, qubus_error *error) {
  if (status != NULL) *status = 0;
  int32_t code = job_check(job, error);
  if (code != QUBUS_OK) return code;
  if (status == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "status is NULL");
  return get_job(job, timeout_milliseconds, use_status, status, error);
}

int32_t qubus_job_describe(
    qubus_job *job, int64_t timeout_milliseconds, qubus_text **out, qubus_error *error) {
  if (out != NULL) *out = NULL;
  int32_t code = job_check(job, error);
  if (code != QUBUS_OK) return code;
  if (out == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "out is NULL");
  return get_job(job, timeout_milliseconds, use_text, out, error);
}

int32_t qubus_job_cancel(
    qubus_job *job, const char *reason, int64_t timeout_milliseconds, int32_t *outcome,
    uint64_t *shots_done, qubus_error *error) {
  if (outcome != NULL) *outcome = 0;
  if (shots_done != NULL) *shots_done = 0;
  int32_t code = job_check(job, error);
  if (code != QUBUS_OK) return code;
  Qubus__V1__CancelJobRequest request = QUBUS__V1__CANCEL_JOB_REQUEST__INIT;
  request.job_id = job->id;
  if (reason != NULL) request.reason = (char *)(uintptr_t)reason;
  qubus_call *call;
  code = call_create_for(job->client, &method_cancel_job, &request.base, 0, &call, error);
  if (code == QUBUS_OK) code = call_run(call, timeout_milliseconds, error);
  if (code != QUBUS_OK) return code;
  qubus_arena arena;
  ProtobufCMessage *message;
  qubus_arena_init(&arena, NULL, 0, message_budget(zmq_msg_size(&call->final.body)));
  code = call_decode(call, &arena, &message, error);
  if (code == QUBUS_OK) {
    const Qubus__V1__CancelJobResponse *response = (const void *)message;
    if (outcome != NULL) *outcome = (int32_t)response->outcome;
    if (shots_done != NULL) *shots_done = response->shots_done;
  }
  qubus_arena_free(&arena);
  qubus_call_free(&call);
  return code;
}

// Waiting for the end

int32_t qubus_job_result_start(
    qubus_job *job, int64_t wait_milliseconds, int32_t manifest_only, uint64_t tag,
    qubus_call **out, qubus_error *error) {
  if (out != NULL) *out = NULL;
  int32_t code = job_check(job, error);
  if (code != QUBUS_OK) return code;
  if (out == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "out is NULL");
  code = fetch_create(job->client, job->id, wait_milliseconds, manifest_only, tag, out, error);
  if (code != QUBUS_OK) return code;
  // The answer to the last poll and the data still take their time.
  int64_t call_timeout = job->client->call_timeout;
  monotonic deadline = time_never;
  if (wait_milliseconds >= 0 && call_timeout >= 0 &&
      wait_milliseconds < INT64_MAX - call_timeout) {
    deadline = deadline_after(wait_milliseconds + call_timeout);
  }
  code = call_begin(*out, deadline, error);
  if (code != QUBUS_OK) qubus_call_free(out);
  return code;
}

/// Long-polls GetResult for at most `timeout`; on success `*out` is the ended call.
static int32_t poll_result(
    qubus_job *job, int64_t timeout, int32_t manifest_only, qubus_call **out,
    qubus_error *error) {
  int64_t bound = timeout;
  if (timeout == QUBUS_UNSET) timeout = bound = -1;
  // A mere look takes a round trip, whose time is bounded by the client's time-out.
  if (timeout == 0) bound = job->client->call_timeout;
  int32_t code =
      fetch_create(job->client, job->id, timeout, manifest_only, 0, out, error);
  return code == QUBUS_OK ? call_run(*out, bound, error) : code;
}

int32_t qubus_job_result(
    qubus_job *job, int64_t timeout_milliseconds, qubus_result **out, qubus_error *error) {
  if (out != NULL) *out = NULL;
  int32_t code = job_check(job, error);
  if (code != QUBUS_OK) return code;
  if (out == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "out is NULL");
  qubus_call *call;
  code = poll_result(job, timeout_milliseconds, 0, &call, error);
  if (code == QUBUS_E_RESULT_NOT_READY && timeout_milliseconds > 0) {
    return error_set(error, QUBUS_E_DEADLINE_EXCEEDED,
                     "job %s had no result within %lld ms; it goes on", job->id,
                     (long long)timeout_milliseconds);
  }
  if (code != QUBUS_OK) return code;
  code = qubus_call_take_result(call, out, error);
  qubus_call_free(&call);
  return code;
}

int32_t qubus_job_wait(
    qubus_job *job, int64_t timeout_milliseconds, int32_t *status, qubus_error *error) {
  if (status != NULL) *status = 0;
  int32_t code = job_check(job, error);
  if (code != QUBUS_OK) return code;
  qubus_call *call;
  int32_t reached = 0;
  code = poll_result(job, timeout_milliseconds, 1, &call, error);
  if (code == QUBUS_OK) {
    reached = result_job_status(call->result);
    qubus_call_free(&call);
  } else if (code == QUBUS_E_DEADLINE_EXCEEDED || code == QUBUS_E_CLIENT_CLOSED ||
             code == QUBUS_E_JOB_NOT_FOUND) {
    return code;
  }
  // A job that ended without a result answers with its error: ask what became of it.
  if (!qubus_job_status_is_terminal(reached)) {
    qubus_error ignored = QUBUS_ERROR_INIT;
    int32_t asked = get_job(job, QUBUS_UNSET, use_status, &reached, &ignored);
    if (asked != QUBUS_OK) return error_copy(error, &ignored), asked;
  }
  if (!qubus_job_status_is_terminal(reached)) {
    if (code != QUBUS_OK && code != QUBUS_E_RESULT_NOT_READY) return code;
    return error_set(error, QUBUS_E_DEADLINE_EXCEEDED, "job %s has not ended: its status is %s",
                     job->id, qubus_job_status_name(reached));
  }
  error_clear(error);
  if (status != NULL) *status = reached;
  return QUBUS_OK;
}

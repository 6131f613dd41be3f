/// GetResult as a call that may take several requests: long polls until the job has ended, then the
/// chunks, then once more those that arrived damaged.
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t longest_poll_milliseconds = 30000;

struct fetch {
  monotonic wait_until;
  int32_t manifest_only;
  int32_t is_second_try;
  char job_id[];
};

void fetch_free(struct fetch *fetch) { free(fetch); }

static int32_t encode_request(
    const struct fetch *fetch, const Qubus__V1__GetResultRequest *selected, zmq_msg_t *out,
    qubus_error *error) {
  Qubus__V1__GetResultRequest request = QUBUS__V1__GET_RESULT_REQUEST__INIT;
  request.job_id = (char *)(uintptr_t)fetch->job_id;
  request.manifest_only = fetch->manifest_only;
  int64_t left = longest_poll_milliseconds;
  if (fetch->wait_until != time_never) {
    left = (fetch->wait_until - monotonic_now() + 999999) / 1000000;
    if (left < 0) left = 0;
    if (left > longest_poll_milliseconds) left = longest_poll_milliseconds;
  }
  request.wait_milliseconds = (uint32_t)left;
  if (selected != NULL) {
    request.selection = selected->selection;
    request.n_selection = selected->n_selection;
  }
  zmq_msg_t packed;
  int32_t code = message_encode(&request.base, &packed, error);
  if (code != QUBUS_OK) return code;
  zmq_msg_move(out, &packed);
  zmq_msg_close(&packed);
  return QUBUS_OK;
}

int32_t fetch_create(
    qubus_client *client, const char *job_id, int64_t wait_milliseconds, int32_t manifest_only,
    uint64_t tag, qubus_call **out, qubus_error *error) {
  int32_t code = call_create(client, call_result, &method_get_result, tag, out, error);
  if (code != QUBUS_OK) return code;
  struct fetch *fetch = calloc(1, sizeof *fetch + strlen(job_id) + 1);
  if (fetch == NULL) {
    code = error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a call");
  } else {
    (*out)->fetch = fetch;
    (*out)->credit = client->stream_credit;
    strcpy(fetch->job_id, job_id);
    fetch->manifest_only = manifest_only != 0;
    fetch->wait_until = deadline_after(wait_milliseconds);
    code = encode_request(fetch, NULL, &(*out)->request, error);
  }
  if (code != QUBUS_OK) {
    call_release(*out);
    *out = NULL;
  }
  return code;
}

void fetch_partial(qubus_call *call, reply *reply) {
  call->granted_later += reply->bytes;
  if (call->granted_later < call->credit / 2) return;
  connection_send_control(call->client, QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_CREDIT, call->id,
                          call->granted_later);
  call->granted_later = 0;
}

static int32_t tell(qubus_call *call, const qubus_error *error) {
  if (call->detail == NULL) call->detail = malloc(sizeof *call->detail);
  if (call->detail != NULL) *call->detail = *error;
  return error->code;
}

/// The outcome of a job that has ended without a result.
static int32_t tell_end_of_job(qubus_call *call, const Qubus__V1__Job *job) {
  qubus_error error = QUBUS_ERROR_INIT;
  if (job == NULL) {
    error_set(&error, QUBUS_E_PROTOCOL_ERROR, "the server's answer has neither job nor result");
  } else if (job->error != NULL && job->error->number != 0) {
    error_from_detail(&error, job->error, 0);
  } else if (job->status == QUBUS__V1__JOB_STATUS__JOB_STATUS_FAILED) {
    error_set(&error, QUBUS_E_EXECUTION_FAILED, "job %s failed: %s", job->job_id, job->reason);
  } else if (job->status == QUBUS__V1__JOB_STATUS__JOB_STATUS_CANCELED) {
    error_set(&error, QUBUS_E_EXECUTION_CANCELED, "job %s was canceled before it had a result",
              job->job_id);
  } else if (job->status == QUBUS__V1__JOB_STATUS__JOB_STATUS_EXPIRED) {
    error_set(&error, QUBUS_E_JOB_EXPIRED, "job %s expired: %s", job->job_id, job->reason);
  } else {
    error_set(&error, QUBUS_E_RESULT_NOT_READY, "job %s has no result yet: its status is %s",
              job->job_id, qubus_job_status_name((int32_t)job->status));
  }
  return tell(call, &error);
}

/// Takes in the chunks of the final answer and of the stream before it.
static void place_chunks(qubus_call *call, const Qubus__V1__GetResultResponse *response) {
  for (size_t i = 0; i < response->n_inline_chunks && i < call->final.attachment_count; i++) {
    result_place(call->result, response->inline_chunks[i], &call->final.attachments[i]);
  }
  for (reply *part = call->partials; part != NULL; part = part->next) {
    uint8_t buffer[512];
    qubus_arena arena;
    ProtobufCMessage *chunk;
    size_t count = zmq_msg_size(&part->body);
    qubus_arena_init(&arena, buffer, sizeof buffer, message_budget(count));
    if (part->attachment_count == 1 &&
        message_decode(&qubus__v1__result_chunk__descriptor, zmq_msg_data(&part->body), count,
                       &arena, &chunk, NULL) == QUBUS_OK) {
      result_place(call->result, (const void *)chunk, &part->attachments[0]);
      // Copied: the frame's memory goes at once, so that a large result is not held twice.
      zmq_msg_close(&part->attachments[0].frame);
      zmq_msg_init(&part->attachments[0].frame);
    }
    qubus_arena_free(&arena);
  }
}

/// Asks again for the chunks that are missing. Returns how many those are, or -1 without memory.
static int64_t select_missing(qubus_call *call) {
  qubus_arena arena;
  qubus_arena_init(&arena, NULL, 0, SIZE_MAX / 2);
  Qubus__V1__GetResultRequest request = QUBUS__V1__GET_RESULT_REQUEST__INIT;
  size_t items = qubus_result_array_count(call->result);
  int64_t missing = 0;
  request.selection = qubus_arena_allocate(&arena, items * sizeof *request.selection);
  for (size_t i = 0; request.selection != NULL && i < items; i++) {
    size_t chunks = result_chunk_count(call->result, i);
    Qubus__V1__ResultSelection *selection = qubus_arena_allocate(&arena, sizeof *selection);
    uint32_t *wanted = qubus_arena_allocate(&arena, chunks * sizeof *wanted);
    if (selection == NULL || wanted == NULL) {
      request.selection = NULL;
      break;
    }
    qubus__v1__result_selection__init(selection);
    selection->item = (uint32_t)i;
    selection->chunks = wanted;
    for (size_t k = 0; k < chunks; k++) {
      if (!result_has_chunk(call->result, i, k)) {
        wanted[selection->n_chunks++] = (uint32_t)k;
        missing++;
      }
    }
    if (selection->n_chunks > 0) request.selection[request.n_selection++] = selection;
  }
  if (request.selection == NULL) missing = -1;
  if (missing > 0 && encode_request(call->fetch, &request, &call->request, NULL) != QUBUS_OK) {
    missing = -1;
  }
  qubus_arena_free(&arena);
  return missing;
}

static int32_t take_response(qubus_call *call, int32_t *outcome) {
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_result *answer;
  *outcome = result_create(zmq_msg_data(&call->final.body), zmq_msg_size(&call->final.body),
                           &answer, &error);
  if (*outcome != QUBUS_OK) return tell(call, &error), 0;
  const Qubus__V1__GetResultResponse *response = result_response(answer);
  if (call->result == NULL) {
    if (response->manifest == NULL &&
        (!call->fetch->manifest_only || response->job == NULL)) {
      *outcome = tell_end_of_job(call, response->job);
      qubus_result_free(&answer);
      return 0;
    }
    call->result = answer;
  }
  int64_t missing = 0;
  if (!call->fetch->manifest_only) {
    place_chunks(call, response);
    missing = select_missing(call);
  }
  if (answer != call->result) qubus_result_free(&answer);
  if (missing == 0) return 0;
  if (missing > 0 && !call->fetch->is_second_try) {
    call->fetch->is_second_try = 1;
    return 1;
  }
  if (missing < 0) {
    *outcome = error_set(&error, QUBUS_E_OUT_OF_MEMORY, "no memory for a result");
  } else {
    *outcome = error_set(&error, QUBUS_E_RESULT_CORRUPT,
                         "%lld chunks of the result of job %s do not match their SHA-256, also "
                         "when fetched again",
                         (long long)missing, call->fetch->job_id);
  }
  tell(call, &error);
  qubus_result_free(&call->result);
  return 0;
}

int32_t fetch_process(qubus_call *call, int32_t *outcome) {
  if (*outcome == QUBUS_OK) return take_response(call, outcome);
  if (*outcome != QUBUS_E_RESULT_NOT_READY && *outcome != QUBUS_E_DEADLINE_EXCEEDED) return 0;
  if (monotonic_now() >= call->fetch->wait_until) return 0;
  return encode_request(call->fetch, NULL, &call->request, NULL) == QUBUS_OK;
}

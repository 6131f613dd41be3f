#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METHOD(variable, wire_name, lower, repeatable)                                    \
  const method method_##variable = {wire_name, &qubus__v1__##lower##_request__descriptor, \
                                    &qubus__v1__##lower##_response__descriptor, repeatable};
METHOD(hello, "Hello", hello, 1)
METHOD(submit, "Submit", submit, 1)
METHOD(submit_batch, "SubmitBatch", submit_batch, 1)
METHOD(plan, "Plan", plan, 1)
METHOD(watch, "WatchJob", watch_job, 1)
METHOD(get_result, "GetResult", get_result, 1)
METHOD(get_job, "GetJob", get_job, 1)
METHOD(cancel_job, "CancelJob", cancel_job, 1)
METHOD(list_jobs, "ListJobs", list_jobs, 1)
METHOD(annotate_job, "AnnotateJob", annotate_job, 1)
// A replay that only compares may be sent again, see `build_replay`.
METHOD(replay_job, "ReplayJob", replay_job, 0)
METHOD(list_devices, "ListDevices", list_devices, 1)
METHOD(get_device, "GetDevice", get_device, 1)
METHOD(health, "Health", health, 1)
METHOD(version, "Version", version, 1)
METHOD(error_catalogue, "ErrorCatalogue", error_catalogue, 1)

static const method *const methods[] = {
    NULL,
    &method_get_job,
    &method_list_jobs,
    &method_cancel_job,
    &method_annotate_job,
    &method_replay_job,
    &method_list_devices,
    &method_get_device,
    &method_health,
    &method_version,
    &method_error_catalogue,
    &method_hello,
};

const method *method_named(const char *name) {
  for (size_t i = 1; i < sizeof methods / sizeof methods[0]; i++) {
    if (strcmp(methods[i]->name, name) == 0) return methods[i];
  }
  return NULL;
}

/// What a request is built from.
typedef struct given {
  const method *method;
  const char *subject;
  const qubus_argument *arguments;
  uint64_t count;
  qubus_error *error;
} given;

static int32_t refuse(const given *g, const char *argument, const char *problem) {
  return error_set(g->error, QUBUS_E_INVALID_ARGUMENT, "%s: argument \"%.64s\" %s",
                   g->method->name, argument, problem);
}

static int32_t parse_number(
    const given *g, const qubus_argument *argument, uint32_t *out) {
  char *end;
  unsigned long long value = strtoull(argument->value, &end, 10);
  if (argument->value[0] < '0' || argument->value[0] > '9' || *end != 0 || value > UINT32_MAX) {
    return refuse(g, argument->name, "is no whole number from 0 to 4294967295");
  }
  *out = (uint32_t)value;
  return QUBUS_OK;
}

/// Splits a list at its commas, in place; at most `capacity` words. Returns their number.
static size_t split(char *list, char **words, size_t capacity) {
  size_t count = 0;
  for (char *word = strtok_r(list, ",", &list); word != NULL && count < capacity;
       word = strtok_r(NULL, ",", &list)) {
    words[count++] = word;
  }
  return count;
}

static int32_t parse_statuses(
    const given *g, char *list, Qubus__V1__ListJobsRequest *request,
    Qubus__V1__JobStatus *statuses) {
  char *words[QUBUS_JOB_EXPIRED];
  size_t count = split(list, words, QUBUS_JOB_EXPIRED);
  for (size_t i = 0; i < count; i++) {
    int32_t status = QUBUS_JOB_ACCEPTED;
    while (status <= QUBUS_JOB_EXPIRED && strcmp(words[i], qubus_job_status_name(status)) != 0) {
      status++;
    }
    if (status > QUBUS_JOB_EXPIRED) return refuse(g, words[i], "is no status of a job");
    statuses[i] = (Qubus__V1__JobStatus)status;
  }
  request->statuses = statuses;
  request->n_statuses = count;
  return QUBUS_OK;
}

static int32_t build_list(const given *g, zmq_msg_t *out) {
  enum { tags_maximum = 64 };
  Qubus__V1__ListJobsRequest request = QUBUS__V1__LIST_JOBS_REQUEST__INIT;
  Qubus__V1__JobStatus statuses[QUBUS_JOB_EXPIRED];
  char *tags[tags_maximum];
  char *status_list = NULL, *tag_list = NULL;
  int32_t code = QUBUS_OK;
  for (uint64_t i = 0; i < g->count && code == QUBUS_OK; i++) {
    const qubus_argument *argument = &g->arguments[i];
    if (strcmp(argument->name, "statuses") == 0 && status_list == NULL) {
      status_list = strdup(argument->value);
      code = status_list == NULL ? error_set(g->error, QUBUS_E_OUT_OF_MEMORY, "no memory")
                                 : parse_statuses(g, status_list, &request, statuses);
    } else if (strcmp(argument->name, "tags") == 0 && tag_list == NULL) {
      tag_list = strdup(argument->value);
      if (tag_list == NULL) {
        code = error_set(g->error, QUBUS_E_OUT_OF_MEMORY, "no memory");
      } else {
        request.tags = tags;
        request.n_tags = split(tag_list, tags, tags_maximum);
      }
    } else if (strcmp(argument->name, "page_size") == 0) {
      code = parse_number(g, argument, &request.page_size);
    } else if (strcmp(argument->name, "page_token") == 0) {
      request.page_token = (char *)(uintptr_t)argument->value;
    } else if (strcmp(argument->name, "name") == 0) {
      request.name = (char *)(uintptr_t)argument->value;
    } else if (strcmp(argument->name, "batch_id") == 0) {
      request.batch_id = (char *)(uintptr_t)argument->value;
    } else {
      code = refuse(g, argument->name,
                    "is unknown or given twice; known are statuses, page_size, page_token, tags, "
                    "name, batch_id");
    }
  }
  if (code == QUBUS_OK) code = message_encode(&request.base, out, g->error);
  free(status_list);
  free(tag_list);
  return code;
}

static int32_t build_cancel(const given *g, zmq_msg_t *out) {
  Qubus__V1__CancelJobRequest request = QUBUS__V1__CANCEL_JOB_REQUEST__INIT;
  request.job_id = (char *)(uintptr_t)g->subject;
  for (uint64_t i = 0; i < g->count; i++) {
    if (strcmp(g->arguments[i].name, "reason") != 0) {
      return refuse(g, g->arguments[i].name, "is unknown; known is reason");
    }
    request.reason = (char *)(uintptr_t)g->arguments[i].value;
  }
  return message_encode(&request.base, out, g->error);
}

static int32_t build_annotate(const given *g, zmq_msg_t *out) {
  Qubus__V1__AnnotateJobRequest request = QUBUS__V1__ANNOTATE_JOB_REQUEST__INIT;
  request.job_id = (char *)(uintptr_t)g->subject;
  Qubus__V1__KeyValue *pairs = calloc(g->count + 1, sizeof *pairs);
  Qubus__V1__KeyValue **pointers = calloc(g->count + 1, sizeof *pointers);
  int32_t code = QUBUS_E_OUT_OF_MEMORY;
  if (pairs != NULL && pointers != NULL) {
    for (uint64_t i = 0; i < g->count; i++) {
      qubus__v1__key_value__init(&pairs[i]);
      pairs[i].key = (char *)(uintptr_t)g->arguments[i].name;
      pairs[i].value = (char *)(uintptr_t)g->arguments[i].value;
      pointers[i] = &pairs[i];
    }
    request.annotations = pointers;
    request.n_annotations = g->count;
    code = message_encode(&request.base, out, g->error);
  } else {
    error_set(g->error, code, "no memory for %llu annotations", (unsigned long long)g->count);
  }
  free(pairs);
  free(pointers);
  return code;
}

static int32_t build_replay(const given *g, zmq_msg_t *out, int32_t *is_repeatable) {
  Qubus__V1__ReplayJobRequest request = QUBUS__V1__REPLAY_JOB_REQUEST__INIT;
  request.job_id = (char *)(uintptr_t)g->subject;
  for (uint64_t i = 0; i < g->count; i++) {
    const qubus_argument *argument = &g->arguments[i];
    if (strcmp(argument->name, "wait_milliseconds") == 0) {
      int32_t code = parse_number(g, argument, &request.wait_milliseconds);
      if (code != QUBUS_OK) return code;
    } else if (strcmp(argument->name, "replay_job_id") == 0) {
      request.replay_job_id = (char *)(uintptr_t)argument->value;
    } else {
      return refuse(g, argument->name,
                    "is unknown; known are wait_milliseconds, replay_job_id");
    }
  }
  *is_repeatable = request.replay_job_id[0] != 0;
  return message_encode(&request.base, out, g->error);
}

static int32_t build_plain(const given *g, zmq_msg_t *out) {
  if (g->count > 0) return refuse(g, g->arguments[0].name, "is unknown; it takes none");
  if (g->method == &method_get_job) {
    Qubus__V1__GetJobRequest request = QUBUS__V1__GET_JOB_REQUEST__INIT;
    request.job_id = (char *)(uintptr_t)g->subject;
    return message_encode(&request.base, out, g->error);
  }
  if (g->method == &method_get_device) {
    Qubus__V1__GetDeviceRequest request = QUBUS__V1__GET_DEVICE_REQUEST__INIT;
    request.name = (char *)(uintptr_t)g->subject;
    return message_encode(&request.base, out, g->error);
  }
  if (g->method == &method_hello) {
    Qubus__V1__HelloRequest request = QUBUS__V1__HELLO_REQUEST__INIT;
    request.minimum_protocol_version = request.maximum_protocol_version = 1;
    request.client_name = (char *)(uintptr_t)"libqubus";
    request.client_version = (char *)(uintptr_t)QUBUS_VERSION_STRING;
    return message_encode(&request.base, out, g->error);
  }
  return QUBUS_OK;  // the others have no fields
}

static int32_t build(const given *g, zmq_msg_t *out, int32_t *is_repeatable) {
  *is_repeatable = g->method->is_repeatable;
  if (g->method == &method_list_jobs) return build_list(g, out);
  if (g->method == &method_cancel_job) return build_cancel(g, out);
  if (g->method == &method_annotate_job) return build_annotate(g, out);
  if (g->method == &method_replay_job) return build_replay(g, out, is_repeatable);
  return build_plain(g, out);
}

static int32_t check_given(const given *g) {
  int32_t needs_subject = g->method == &method_get_job || g->method == &method_cancel_job ||
                          g->method == &method_annotate_job || g->method == &method_replay_job ||
                          g->method == &method_get_device;
  if (needs_subject && g->subject == NULL) {
    return error_set(g->error, QUBUS_E_INVALID_ARGUMENT, "%s needs a subject", g->method->name);
  }
  if (g->count > 0 && g->arguments == NULL) {
    return error_set(g->error, QUBUS_E_INVALID_ARGUMENT, "arguments is NULL");
  }
  for (uint64_t i = 0; i < g->count; i++) {
    if (g->arguments[i].name == NULL || g->arguments[i].value == NULL) {
      return error_set(g->error, QUBUS_E_INVALID_ARGUMENT,
                       "arguments[%llu] has no name or no value", (unsigned long long)i);
    }
  }
  return QUBUS_OK;
}

static int32_t prepare(
    qubus_client *client, int32_t number, const char *subject, const qubus_argument *arguments,
    uint64_t count, uint64_t tag, qubus_call **out, qubus_error *error) {
  if (number < 1 || number >= (int32_t)(sizeof methods / sizeof methods[0])) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "method %d is no QUBUS_METHOD_*", number);
  }
  given g = {methods[number], subject, arguments, count, error};
  int32_t code = check_given(&g);
  if (code == QUBUS_OK) code = call_create(client, call_text, g.method, tag, out, error);
  if (code != QUBUS_OK) return code;
  int32_t is_repeatable;
  code = build(&g, &(*out)->request, &is_repeatable);
  (*out)->is_unrepeatable = !is_repeatable;
  if (code != QUBUS_OK) {
    call_release(*out);
    *out = NULL;
  }
  return code;
}

int32_t qubus_call_start(
    qubus_client *client, int32_t method, const char *subject, const qubus_argument *arguments,
    uint64_t argument_count, int64_t timeout_milliseconds, uint64_t tag, qubus_call **out,
    qubus_error *error) {
  if (out != NULL) *out = NULL;
  int32_t code = client_check(client, error);
  if (code != QUBUS_OK) return code;
  if (out == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "out is NULL");
  code = prepare(client, method, subject, arguments, argument_count, tag, out, error);
  if (code != QUBUS_OK) return code;
  if (timeout_milliseconds == QUBUS_UNSET) timeout_milliseconds = client->call_timeout;
  code = call_begin(*out, deadline_after(timeout_milliseconds), error);
  if (code != QUBUS_OK) qubus_call_free(out);
  return code;
}

int32_t qubus_client_request(
    qubus_client *client, int32_t method, const char *subject, const qubus_argument *arguments,
    uint64_t argument_count, int64_t timeout_milliseconds, qubus_text **out, qubus_error *error) {
  if (out != NULL) *out = NULL;
  int32_t code = client_check(client, error);
  if (code != QUBUS_OK) return code;
  if (out == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "out is NULL");
  qubus_call *call;
  code = prepare(client, method, subject, arguments, argument_count, 0, &call, error);
  if (code == QUBUS_OK) code = call_run(call, timeout_milliseconds, error);
  if (code != QUBUS_OK) return code;
  code = qubus_call_take_text(call, out, error);
  qubus_call_free(&call);
  return code;
}

/// Claims what an ended call gave; it can be claimed once.
static int32_t claim(
    qubus_call *call, const void *out, int32_t is_right, const char *what, qubus_error *error) {
  error_clear(error);
  if (call == NULL || out == NULL) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "call or out is NULL");
  }
  int32_t code = client_check(call->client, error);
  if (code != QUBUS_OK) return code;
  if (!is_right) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "the call gives no %s", what);
  }
  pthread_mutex_lock(&call->client->mutex);
  int32_t is_done = call->state == call_done;
  int32_t is_taken = call->is_taken;
  if (is_done && call->outcome == QUBUS_OK) call->is_taken = 1;
  pthread_mutex_unlock(&call->client->mutex);
  if (!is_done) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "the call has not ended");
  if (is_taken) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "the call's %s was taken before", what);
  }
  return call_outcome(call, error);
}

int32_t qubus_call_take_text(qubus_call *call, qubus_text **out, qubus_error *error) {
  if (out != NULL) *out = NULL;
  int32_t code = claim(call, out, call != NULL && call->kind == call_text, "text", error);
  if (code != QUBUS_OK) return code;
  uint8_t buffer[1024];
  qubus_arena arena;
  ProtobufCMessage *message;
  qubus_arena_init(&arena, buffer, sizeof buffer,
                   message_budget(zmq_msg_size(&call->final.body)));
  code = call_decode(call, &arena, &message, error);
  if (code == QUBUS_OK) code = text_of(message, out, error);
  qubus_arena_free(&arena);
  return code;
}

int32_t qubus_call_take_job(qubus_call *call, qubus_job **out, qubus_error *error) {
  if (out != NULL) *out = NULL;
  int32_t code = claim(call, out, call != NULL && call->kind == call_submit, "job", error);
  if (code != QUBUS_OK) return code;
  uint8_t buffer[2048];
  qubus_arena arena;
  ProtobufCMessage *message;
  qubus_arena_init(&arena, buffer, sizeof buffer,
                   message_budget(zmq_msg_size(&call->final.body)));
  code = call_decode(call, &arena, &message, error);
  if (code == QUBUS_OK) {
    const Qubus__V1__SubmitResponse *response = (const void *)message;
    if (response->job == NULL || response->job->job_id[0] == 0) {
      code = error_set(error, QUBUS_E_PROTOCOL_ERROR, "the server's SubmitResponse names no job");
    } else {
      code = job_create(call->client, response->job->job_id, response->is_duplicate, out, error);
    }
  }
  qubus_arena_free(&arena);
  return code;
}

int32_t qubus_call_take_result(qubus_call *call, qubus_result **out, qubus_error *error) {
  if (out != NULL) *out = NULL;
  int32_t is_step = call != NULL && call->kind == call_step;
  int32_t gives_result = is_step || (call != NULL && call->kind == call_result);
  int32_t code = claim(call, out, gives_result, "result", error);
  if (code != QUBUS_OK) return code;
  if (is_step) return step_result(call, out, error);
  *out = call->result;
  call->result = NULL;
  return QUBUS_OK;
}

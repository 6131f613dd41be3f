#include "internal.h"

#include <stdlib.h>
#include <string.h>

enum { key_capacity_minimum = 64 };

static int32_t prepare_submit(
    qubus_client *client, const qubus_job_spec *spec, uint64_t tag, qubus_call **out,
    qubus_error *error) {
  if (spec == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "spec is NULL");
  int32_t code = call_create(client, call_submit, &method_submit, tag, out, error);
  if (code != QUBUS_OK) return code;
  (*out)->key = spec_key(spec, error);
  code = (*out)->key == NULL ? QUBUS_E_OUT_OF_MEMORY
                             : spec_encode(spec, (*out)->key, 0, &(*out)->request, error);
  if (code != QUBUS_OK) {
    call_release(*out);
    *out = NULL;
  }
  return code;
}

static int32_t prepare_plan(
    qubus_client *client, const qubus_job_spec *spec, uint64_t tag, qubus_call **out,
    qubus_error *error) {
  if (spec == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "spec is NULL");
  int32_t code = call_create(client, call_text, &method_plan, tag, out, error);
  if (code != QUBUS_OK) return code;
  code = spec_encode(spec, spec->idempotency_key, 1, &(*out)->request, error);
  if (code != QUBUS_OK) {
    call_release(*out);
    *out = NULL;
  }
  return code;
}

typedef int32_t (*prepare_function)(
    qubus_client *, const qubus_job_spec *, uint64_t tag, qubus_call **, qubus_error *);

static int32_t start(
    prepare_function prepare, qubus_client *client, const qubus_job_spec *spec, uint64_t tag,
    qubus_call **out, qubus_error *error) {
  if (out != NULL) *out = NULL;
  int32_t code = client_check(client, error);
  if (code != QUBUS_OK) return code;
  if (out == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "out is NULL");
  code = prepare(client, spec, tag, out, error);
  if (code != QUBUS_OK) return code;
  code = call_begin(*out, deadline_after(client->call_timeout), error);
  if (code != QUBUS_OK) qubus_call_free(out);
  return code;
}

int32_t qubus_job_submit_start(
    qubus_client *client, const qubus_job_spec *spec, uint64_t tag, qubus_call **out,
    qubus_error *error) {
  return start(prepare_submit, client, spec, tag, out, error);
}

int32_t qubus_job_plan_start(
    qubus_client *client, const qubus_job_spec *spec, uint64_t tag, qubus_call **out,
    qubus_error *error) {
  return start(prepare_plan, client, spec, tag, out, error);
}

int32_t qubus_client_plan(
    qubus_client *client, const qubus_job_spec *spec, int64_t timeout_milliseconds,
    qubus_text **out, qubus_error *error) {
  if (out != NULL) *out = NULL;
  int32_t code = client_check(client, error);
  if (code != QUBUS_OK) return code;
  if (out == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "out is NULL");
  qubus_call *call;
  code = prepare_plan(client, spec, 0, &call, error);
  if (code == QUBUS_OK) code = call_run(call, timeout_milliseconds, error);
  if (code != QUBUS_OK) return code;
  code = qubus_call_take_text(call, out, error);
  qubus_call_free(&call);
  return code;
}

int32_t qubus_job_submit(
    qubus_client *client, const qubus_job_spec *spec, int64_t timeout_milliseconds, char *key_out,
    uint64_t key_capacity, qubus_job **out, qubus_error *error) {
  if (out != NULL) *out = NULL;
  if (key_out != NULL && key_capacity > 0) key_out[0] = 0;
  int32_t code = client_check(client, error);
  if (code != QUBUS_OK) return code;
  if (out == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "out is NULL");
  if (key_out != NULL && key_capacity < key_capacity_minimum) {
    return error_set(error, QUBUS_E_BUFFER_TOO_SMALL, "key_capacity is %llu; it must be at least %d",
                     (unsigned long long)key_capacity, key_capacity_minimum);
  }
  qubus_call *call;
  code = prepare_submit(client, spec, 0, &call, error);
  if (code != QUBUS_OK) return code;
  if (key_out != NULL) {
    if (strlen(call->key) >= key_capacity) {
      size_t needed = strlen(call->key) + 1;
      call_release(call);
      return error_set(error, QUBUS_E_BUFFER_TOO_SMALL,
                       "the idempotency key needs %zu bytes, key_capacity is %llu", needed,
                       (unsigned long long)key_capacity);
    }
    strcpy(key_out, call->key);
  }
  code = call_run(call, timeout_milliseconds, error);
  if (code != QUBUS_OK) return code;
  code = qubus_call_take_job(call, out, error);
  qubus_call_free(&call);
  return code;
}

static int32_t take_batch(
    qubus_call *call, uint64_t count, qubus_job **out, qubus_error *errors, qubus_error *error) {
  qubus_arena arena;
  ProtobufCMessage *message;
  qubus_arena_init(&arena, NULL, 0, message_budget(zmq_msg_size(&call->final.body)));
  int32_t code = call_decode(call, &arena, &message, error);
  const Qubus__V1__SubmitBatchResponse *response = (const void *)message;
  if (code == QUBUS_OK && response->n_items != count) {
    code = error_set(error, QUBUS_E_PROTOCOL_ERROR, "the server answered %zu of %llu submits",
                     response->n_items, (unsigned long long)count);
  }
  for (uint64_t i = 0; code == QUBUS_OK && i < count; i++) {
    const Qubus__V1__SubmitBatchItem *item = response->items[i];
    qubus_error *own =
        errors == NULL ? NULL : (void *)((char *)errors + i * errors->struct_size);
    if (error_from_status(own, item->status) != QUBUS_OK) continue;
    if (item->job == NULL || item->job->job_id[0] == 0) {
      error_set(own, QUBUS_E_PROTOCOL_ERROR, "the server's answer names no job");
      continue;
    }
    job_create(call->client, item->job->job_id, item->is_duplicate, &out[i], own);
  }
  qubus_arena_free(&arena);
  return code;
}

int32_t qubus_job_submit_batch(
    qubus_client *client, const qubus_job_spec *specs, uint64_t count,
    int64_t timeout_milliseconds, qubus_job **out, qubus_error *errors, qubus_error *error) {
  for (uint64_t i = 0; out != NULL && i < count; i++) out[i] = NULL;
  int32_t code = client_check(client, error);
  if (code != QUBUS_OK) return code;
  if (specs == NULL || out == NULL || count == 0) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "specs or out is NULL, or count is 0");
  }
  if (specs->struct_size < offsetof(qubus_job_spec, reserved) ||
      specs->struct_size % _Alignof(qubus_job_spec) != 0) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                     "specs[0].struct_size is %u; start from QUBUS_JOB_SPEC_INIT",
                     specs->struct_size);
  }
  for (uint64_t i = 0; errors != NULL && i < count; i++) {
    error_clear((void *)((char *)errors + i * errors->struct_size));
  }
  qubus_call *call;
  code = call_create(client, call_batch, &method_submit_batch, 0, &call, error);
  if (code != QUBUS_OK) return code;
  code = spec_encode_batch(specs, count, &call->request, error);
  if (code != QUBUS_OK) {
    call_release(call);
    return code;
  }
  code = call_run(call, timeout_milliseconds, error);
  if (code != QUBUS_OK) return code;
  code = take_batch(call, count, out, errors, error);
  qubus_call_free(&call);
  return code;
}

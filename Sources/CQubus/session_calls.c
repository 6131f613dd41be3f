/// Opening, resuming, closing and describing sessions.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

#define METHOD(variable, wire_name, lower, repeatable)                                    \
  const method method_##variable = {wire_name, &qubus__v1__##lower##_request__descriptor, \
                                    &qubus__v1__##lower##_response__descriptor, repeatable};
METHOD(open_session, "OpenSession", open_session, 1)
METHOD(step, "Step", step, 1)
METHOD(resume_session, "ResumeSession", resume_session, 1)
METHOD(close_session, "CloseSession", close_session, 1)
METHOD(get_session, "GetSession", get_session, 1)
METHOD(list_sessions, "ListSessions", list_sessions, 1)
METHOD(optimize, "Optimize", optimize, 1)
METHOD(cancel_optimize, "CancelOptimize", cancel_optimize, 1)

/// Runs a call and makes the session that its answer tells. `secret` NULL: the answer's.
static int32_t run_for_session(
    qubus_call *call, int64_t timeout, const uint8_t *secret, qubus_session **out,
    uint64_t *next_sequence, int32_t *was_rebuilt, qubus_error *error) {
  int32_t code = call_run(call, timeout, error);
  if (code != QUBUS_OK) return code;
  uint8_t buffer[4096];
  qubus_arena arena;
  ProtobufCMessage *message;
  qubus_arena_init(&arena, buffer, sizeof buffer,
                   message_budget(zmq_msg_size(&call->final.body)));
  code = call_decode(call, &arena, &message, error);
  const Qubus__V1__Session *told = NULL;
  size_t secret_bytes = QUBUS_SESSION_SECRET_BYTES;
  if (code == QUBUS_OK && secret == NULL) {
    const Qubus__V1__OpenSessionResponse *response = (const void *)message;
    told = response->session;
    secret = response->secret.data;
    secret_bytes = response->secret.len;
  } else if (code == QUBUS_OK) {
    const Qubus__V1__ResumeSessionResponse *response = (const void *)message;
    told = response->session;
    *next_sequence = response->next_sequence;
    *was_rebuilt = response->was_rebuilt;
  }
  if (code == QUBUS_OK && told == NULL) {
    code = error_set(error, QUBUS_E_PROTOCOL_ERROR, "the server's answer names no session");
  }
  if (code == QUBUS_OK) {
    code = session_create(call->client, told, secret, secret_bytes, out, error);
  }
  if (code == QUBUS_OK) {
    pthread_mutex_lock(&call->client->mutex);
    (*out)->held_on = call->answered_on;
    pthread_mutex_unlock(&call->client->mutex);
  }
  qubus_arena_free(&arena);
  qubus_call_free(&call);
  return code;
}

static int32_t open_once(
    qubus_client *client, const qubus_session_spec *spec, int64_t timeout, qubus_session **out,
    qubus_error *error) {
  qubus_job_spec key_source = QUBUS_JOB_SPEC_INIT;
  key_source.idempotency_key = spec->idempotency_key;
  char *key = spec_key(&key_source, error);
  if (key == NULL) return QUBUS_E_OUT_OF_MEMORY;
  qubus_call *call;
  int32_t code = call_create(client, call_text, &method_open_session, 0, &call, error);
  if (code == QUBUS_OK) {
    code = session_spec_encode(spec, key, &call->request, error);
    if (code != QUBUS_OK) call_release(call);
  }
  free(key);
  if (code != QUBUS_OK) return code;
  return run_for_session(call, timeout, NULL, out, NULL, NULL, error);
}

int32_t qubus_session_open(
    qubus_client *client, const qubus_session_spec *spec, int64_t timeout_milliseconds,
    qubus_session **out, qubus_error *error) {
  if (out != NULL) *out = NULL;
  int32_t code = client_check(client, error);
  if (code != QUBUS_OK) return code;
  if (out == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "out is NULL");
  if (spec == NULL || spec->struct_size < offsetof(qubus_session_spec, reserved)) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                     "spec is NULL, or does not start from QUBUS_SESSION_SPEC_INIT");
  }
  code = open_once(client, spec, timeout_milliseconds, out, error);
  // An answer that was lost took the secret with it: another session serves as well, as long as
  // nobody knows the first one's key.
  int32_t has_key = spec->idempotency_key != NULL && spec->idempotency_key[0] != 0;
  if (code == QUBUS_OK && !(*out)->has_secret && !has_key) {
    qubus_session_free(out);
    code = open_once(client, spec, timeout_milliseconds, out, error);
  }
  return code;
}

int32_t qubus_session_resume(
    qubus_client *client, const char *session_id, const uint8_t *secret, uint64_t last_sequence,
    int64_t timeout_milliseconds, qubus_session **out, qubus_error *error) {
  if (out != NULL) *out = NULL;
  int32_t code = client_check(client, error);
  if (code != QUBUS_OK) return code;
  uint8_t id[session_id_bytes];
  if (session_id == NULL || secret == NULL || out == NULL) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "%s is NULL",
                     session_id == NULL ? "session_id" : secret == NULL ? "secret" : "out");
  }
  if (!session_parse_id(session_id, id)) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "session_id \"%.48s\" is no UUID",
                     session_id);
  }
  Qubus__V1__ResumeSessionRequest request = QUBUS__V1__RESUME_SESSION_REQUEST__INIT;
  request.session_id = (char *)(uintptr_t)session_id;
  request.secret =
      (ProtobufCBinaryData){QUBUS_SESSION_SECRET_BYTES, (uint8_t *)(uintptr_t)secret};
  request.last_sequence = last_sequence;
  qubus_call *call;
  code = call_create_for(client, &method_resume_session, &request.base, 0, &call, error);
  if (code != QUBUS_OK) return code;
  uint64_t next_sequence = 0;
  int32_t was_rebuilt = 0;
  code = run_for_session(call, timeout_milliseconds, secret, out, &next_sequence, &was_rebuilt,
                         error);
  if (code != QUBUS_OK) return code;
  pthread_mutex_lock(&client->mutex);
  qubus_session *session = *out;
  session->next_sequence = next_sequence > 0 ? next_sequence : 1;
  session->last_sequence = session->next_sequence - 1;
  session->was_rebuilt = was_rebuilt;
  if (last_sequence > 0 && last_sequence + 2 == session->next_sequence) {
    // One step was answered that this client knows no answer of: if it is sent again, it gets that
    // answer; if the next step is another one, the server says so.
    session->next_sequence = last_sequence + 1;
    session->last_sequence = last_sequence;
    session->has_guess = 1;
  }
  pthread_mutex_unlock(&client->mutex);
  return QUBUS_OK;
}

/// Runs a call whose answer is a text, or is not wanted.
static int32_t run_text(
    qubus_client *client, const method *method, const ProtobufCMessage *request, int64_t timeout,
    qubus_text **out, qubus_error *error) {
  qubus_call *call;
  int32_t code = call_create_for(client, method, request, 0, &call, error);
  if (code == QUBUS_OK) code = call_run(call, timeout, error);
  if (code != QUBUS_OK) return code;
  if (out != NULL) code = qubus_call_take_text(call, out, error);
  qubus_call_free(&call);
  return code;
}

int32_t qubus_session_close(
    qubus_session *session, int64_t timeout_milliseconds, qubus_error *error) {
  int32_t code = session_check(session, error);
  if (code != QUBUS_OK) return code;
  pthread_mutex_lock(&session->client->mutex);
  int32_t is_closed = session->is_closed;
  int32_t is_client_closed = session->client->is_closed;
  pthread_mutex_unlock(&session->client->mutex);
  if (is_client_closed) {
    return error_set(error, QUBUS_E_CLIENT_CLOSED, "the client was closed");
  }
  if (is_closed) return QUBUS_OK;
  Qubus__V1__CloseSessionRequest request = QUBUS__V1__CLOSE_SESSION_REQUEST__INIT;
  request.session_id = session->id;
  code = run_text(session->client, &method_close_session, &request.base, timeout_milliseconds,
                  NULL, error);
  if (code == QUBUS_OK || code == QUBUS_E_SESSION_NOT_FOUND) {
    pthread_mutex_lock(&session->client->mutex);
    session->is_closed = 1;
    pthread_mutex_unlock(&session->client->mutex);
  }
  return code;
}

int32_t qubus_session_describe(
    qubus_session *session, int64_t timeout_milliseconds, qubus_text **out, qubus_error *error) {
  if (out != NULL) *out = NULL;
  int32_t code = session_check(session, error);
  if (code != QUBUS_OK) return code;
  if (out == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "out is NULL");
  Qubus__V1__GetSessionRequest request = QUBUS__V1__GET_SESSION_REQUEST__INIT;
  request.session_id = session->id;
  qubus_call *call;
  code = call_create_for(session->client, &method_get_session, &request.base, 0, &call, error);
  if (code == QUBUS_OK) code = call_run(call, timeout_milliseconds, error);
  if (code != QUBUS_OK) return code;
  uint8_t buffer[2048];
  qubus_arena arena;
  ProtobufCMessage *message;
  qubus_arena_init(&arena, buffer, sizeof buffer,
                   message_budget(zmq_msg_size(&call->final.body)));
  code = call_decode(call, &arena, &message, error);
  if (code == QUBUS_OK) {
    const Qubus__V1__GetSessionResponse *response = (const void *)message;
    code = response->session == NULL
               ? error_set(error, QUBUS_E_PROTOCOL_ERROR, "the server's answer names no session")
               : text_of(&response->session->base, out, error);
  }
  qubus_arena_free(&arena);
  qubus_call_free(&call);
  return code;
}

int32_t qubus_client_sessions(
    qubus_client *client, int32_t include_ended, int64_t timeout_milliseconds, qubus_text **out,
    qubus_error *error) {
  if (out != NULL) *out = NULL;
  int32_t code = client_check(client, error);
  if (code != QUBUS_OK) return code;
  if (out == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "out is NULL");
  Qubus__V1__ListSessionsRequest request = QUBUS__V1__LIST_SESSIONS_REQUEST__INIT;
  request.include_ended = include_ended != 0;
  request.page_size = 1000;
  return run_text(client, &method_list_sessions, &request.base, timeout_milliseconds, out, error);
}

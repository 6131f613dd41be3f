/// The handle of a session: its life and what it tells without asking.
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int32_t session_parse_id(const char *text, uint8_t out[session_id_bytes]) {
  size_t digits = 0;
  for (size_t i = 0; i < 36; i++) {
    char c = text[i];
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (c != '-') return 0;
      continue;
    }
    int value = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (value < 0) return 0;
    out[digits / 2] = (uint8_t)(digits % 2 ? out[digits / 2] | value : value << 4);
    digits++;
  }
  return text[36] == 0;
}

static uint32_t output_mask(const Qubus__V1__Session *told) {
  uint32_t mask = 0;
  for (size_t i = 0; i < told->n_outputs; i++) {
    if (told->outputs[i] > 0 && told->outputs[i] <= 32) mask |= 1u << (told->outputs[i] - 1);
  }
  return mask;
}

static void free_memory(qubus_session *session) {
  for (uint64_t i = 0; session->parameter_names != NULL && i < session->parameter_count; i++) {
    free(session->parameter_names[i]);
  }
  free(session->parameter_names);
  free(session);
}

static int32_t copy_names(qubus_session *session, const Qubus__V1__Session *told) {
  session->parameter_names = calloc(told->n_parameters + 1, sizeof *session->parameter_names);
  if (session->parameter_names == NULL) return 0;
  session->parameter_count = told->n_parameters;
  for (size_t i = 0; i < told->n_parameters; i++) {
    session->parameter_names[i] = strdup(told->parameters[i]);
    if (session->parameter_names[i] == NULL) return 0;
  }
  return 1;
}

int32_t session_create(
    qubus_client *client, const Qubus__V1__Session *told, const uint8_t *secret,
    size_t secret_bytes, qubus_session **out, qubus_error *error) {
  *out = NULL;
  qubus_session *session = calloc(1, sizeof *session);
  if (session == NULL) return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a session");
  atomic_init(&session->references, 1);
  session->client = client;
  if (!session_parse_id(told->session_id, session->id_bytes)) {
    free_memory(session);
    return error_set(error, QUBUS_E_PROTOCOL_ERROR, "the server's answer names no session");
  }
  strcpy(session->id, told->session_id);
  if (!copy_names(session, told)) {
    free_memory(session);
    return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a session");
  }
  if (secret_bytes == sizeof session->secret) {
    memcpy(session->secret, secret, sizeof session->secret);
    session->has_secret = 1;
  }
  session->observable_count = told->observable_count;
  session->qubit_count = told->qubit_count;
  session->bit_count = told->bit_count;
  session->outputs = output_mask(told);
  session->last_sequence = told->last_sequence;
  session->next_sequence = told->last_sequence + 1;
  call_init(&session->resume, client, call_resume, &method_resume_session);
  session->resume.session = session;
  call_init(&session->synchronous, client, call_step, &method_step);
  client_retain(client);
  pthread_mutex_lock(&client->mutex);
  session->next = client->first_session;
  if (session->next != NULL) session->next->previous = session;
  client->first_session = session;
  pthread_mutex_unlock(&client->mutex);
  *out = session;
  return QUBUS_OK;
}

int32_t session_check(const qubus_session *session, qubus_error *error) {
  error_clear(error);
  if (session == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "session is NULL");
  return client_check(session->client, error);
}

static void say_closed(qubus_session *session) {
  if (session->is_detached || session->is_closed || session->is_usurped) return;
  Qubus__V1__CloseSessionRequest request = QUBUS__V1__CLOSE_SESSION_REQUEST__INIT;
  request.session_id = session->id;
  connection_send_farewell(session->client, &method_close_session, &request.base);
  session->is_closed = 1;
}

void session_close_all(qubus_client *client) {
  for (qubus_session *s = client->first_session; s != NULL; s = s->next) say_closed(s);
}

void session_retain(qubus_session *session) {
  atomic_fetch_add_explicit(&session->references, 1, memory_order_relaxed);
}

void session_release(qubus_session *session) {
  if (atomic_fetch_sub_explicit(&session->references, 1, memory_order_acq_rel) != 1) return;
  qubus_client *client = session->client;
  pthread_mutex_lock(&client->mutex);
  say_closed(session);
  while (session->first_step != NULL) step_drop_ghost(session->first_step);
  call_abandon(&session->resume);
  if (session->previous != NULL) {
    session->previous->next = session->next;
  } else {
    client->first_session = session->next;
  }
  if (session->next != NULL) session->next->previous = session->previous;
  pthread_mutex_unlock(&client->mutex);
  call_clear(&session->resume);
  call_clear(&session->synchronous);
  free_memory(session);
  client_release(client);
}

// Public

void qubus_session_free(qubus_session **session) {
  if (session == NULL || *session == NULL) return;
  qubus_session *freed = *session;
  *session = NULL;
  if (!client_is_foreign(freed->client)) session_release(freed);
}

int32_t qubus_session_detach(qubus_session *session) {
  int32_t code = session_check(session, NULL);
  if (code != QUBUS_OK) return code;
  pthread_mutex_lock(&session->client->mutex);
  session->is_detached = 1;
  pthread_mutex_unlock(&session->client->mutex);
  return QUBUS_OK;
}

const char *qubus_session_id(const qubus_session *session) {
  return session != NULL ? session->id : "";
}

const uint8_t *qubus_session_secret(const qubus_session *session) {
  static const uint8_t none[QUBUS_SESSION_SECRET_BYTES];
  return session != NULL ? session->secret : none;
}

uint64_t qubus_session_parameter_count(const qubus_session *session) {
  return session != NULL ? session->parameter_count : 0;
}

const char *qubus_session_parameter_name(const qubus_session *session, uint64_t index) {
  return session != NULL && index < session->parameter_count ? session->parameter_names[index]
                                                             : "";
}

uint64_t qubus_session_observable_count(const qubus_session *session) {
  return session != NULL ? session->observable_count : 0;
}

uint32_t qubus_session_qubit_count(const qubus_session *session) {
  return session != NULL ? session->qubit_count : 0;
}

uint32_t qubus_session_bit_count(const qubus_session *session) {
  return session != NULL ? session->bit_count : 0;
}

uint32_t qubus_session_outputs(const qubus_session *session) {
  return session != NULL ? session->outputs : 0;
}

uint64_t qubus_session_last_sequence(const qubus_session *session) {
  if (session == NULL) return 0;
  // In a forked child the mutex may be held for ever.
  if (client_is_foreign(session->client)) return session->last_sequence;
  pthread_mutex_lock(&session->client->mutex);
  uint64_t last = session->last_sequence;
  pthread_mutex_unlock(&session->client->mutex);
  return last;
}

#include "session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

void call_init(qubus_call *call, qubus_client *client, call_kind kind, const method *method) {
  memset(call, 0, sizeof *call);
  atomic_init(&call->references, 1);
  call->client = client;
  call->kind = kind;
  call->method = method;
  call->deadline = time_never;
  call->is_unrepeatable = method != NULL && !method->is_repeatable;
  zmq_msg_init(&call->request);
  zmq_msg_init(&call->final.envelope);
  zmq_msg_init(&call->final.body);
  for (int i = 0; i < request_frames_maximum; i++) zmq_msg_init(&call->frames[i]);
}

void call_drop_replies(qubus_call *call) {
  reply_free(&call->final);
  for (reply *part = call->partials, *next; part != NULL; part = next) {
    next = part->next;
    reply_free(part);
    free(part);
  }
  call->partials = call->last_partial = NULL;
  call->granted_later = 0;
}

void call_clear(qubus_call *call) {
  zmq_msg_close(&call->request);
  for (int i = 0; i < request_frames_maximum; i++) zmq_msg_close(&call->frames[i]);
  call_drop_replies(call);
  step_free(call);
  free(call->key);
  call->key = NULL;
  free(call->owned_method);
  call->owned_method = NULL;
  fetch_free(call->fetch);
  call->fetch = NULL;
  free(call->detail);
  call->detail = NULL;
  qubus_result_free(&call->result);
}

int32_t call_create(
    qubus_client *client, call_kind kind, const method *method, uint64_t tag, qubus_call **out,
    qubus_error *error) {
  *out = NULL;
  qubus_call *call = malloc(sizeof *call);
  if (call == NULL) return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a call");
  call_init(call, client, kind, method);
  call->tag = tag;
  client_retain(client);
  *out = call;
  return QUBUS_OK;
}

int32_t call_create_for(
    qubus_client *client, const method *method, const ProtobufCMessage *request, uint64_t tag,
    qubus_call **out, qubus_error *error) {
  int32_t code = call_create(client, call_text, method, tag, out, error);
  if (code != QUBUS_OK) return code;
  code = message_encode(request, &(*out)->request, error);
  if (code != QUBUS_OK) {
    call_release(*out);
    *out = NULL;
  }
  return code;
}

void call_retain(qubus_call *call) {
  atomic_fetch_add_explicit(&call->references, 1, memory_order_relaxed);
}

void call_release(qubus_call *call) {
  if (atomic_fetch_sub_explicit(&call->references, 1, memory_order_acq_rel) != 1) return;
  qubus_client *client = call->client;
  call_clear(call);
  free(call);
  client_release(client);
}

// Lists

static void link_open(qubus_client *client, qubus_call *call) {
  call->id = ++client->last_id;
  qubus_call **bucket = &client->buckets[call->id % call_buckets];
  call->next_in_bucket = *bucket;
  *bucket = call;
  call->next = NULL;
  call->previous = client->last_open;
  if (client->last_open != NULL) {
    client->last_open->next = call;
  } else {
    client->first_open = call;
  }
  client->last_open = call;
}

static void unlink_open(qubus_client *client, qubus_call *call) {
  if (call->state == call_new || call->state == call_done) return;
  qubus_call **link = &client->buckets[call->id % call_buckets];
  while (*link != call) link = &(*link)->next_in_bucket;
  *link = call->next_in_bucket;
  if (call->previous != NULL) {
    call->previous->next = call->next;
  } else {
    client->first_open = call->next;
  }
  if (call->next != NULL) {
    call->next->previous = call->previous;
  } else {
    client->last_open = call->previous;
  }
}

qubus_call *call_find(qubus_client *client, uint64_t id) {
  qubus_call *call = client->buckets[id % call_buckets];
  while (call != NULL && call->id != id) call = call->next_in_bucket;
  return call;
}

void call_announce(qubus_call *call) {
  qubus_client *client = call->client;
  if (call->tag == 0 || call->is_announced) return;
  call->is_announced = 1;
  call->next_completion = NULL;
  if (client->last_completion != NULL) {
    client->last_completion->next_completion = call;
  } else {
    client->first_completion = call;
    if (client->readiness >= 0) eventfd_write(client->readiness, 1);
  }
  client->last_completion = call;
}

static void unlink_completion(qubus_client *client, qubus_call *call) {
  qubus_call *before = NULL;
  for (qubus_call *c = client->first_completion; c != NULL; before = c, c = c->next_completion) {
    if (c != call) continue;
    if (before != NULL) {
      before->next_completion = c->next_completion;
    } else {
      client->first_completion = c->next_completion;
    }
    if (client->last_completion == c) client->last_completion = before;
    break;
  }
  if (client->first_completion == NULL && client->readiness >= 0) {
    eventfd_t count;
    eventfd_read(client->readiness, &count);
  }
}

// Life of a call

void call_enlist(qubus_call *call) {
  qubus_client *client = call->client;
  link_open(client, call);
  call->state = call_queued;
  if (call->deadline < client->next_deadline) client->next_deadline = call->deadline;
}

int32_t call_begin(qubus_call *call, monotonic deadline, qubus_error *error) {
  qubus_client *client = call->client;
  pthread_mutex_lock(&client->mutex);
  if (client->is_closed) {
    pthread_mutex_unlock(&client->mutex);
    return error_set(error, QUBUS_E_CLIENT_CLOSED, "the client was closed");
  }
  // The server would drop the connection of one who sends more, without a word.
  size_t bytes = zmq_msg_size(&call->request);
  uint64_t limit = client->message_limit;
  if (limit != 0 && bytes > limit) {
    pthread_mutex_unlock(&client->mutex);
    return error_set(error, QUBUS_E_MESSAGE_TOO_LARGE,
                     "%s has %zu bytes, the server takes at most %llu", call->method->name, bytes,
                     (unsigned long long)limit);
  }
  call->deadline = deadline;
  call_enlist(call);
  if (client->connection != connection_ready) connection_timers(client);
  connection_transmit(client, call);
  driver_after_send(client);
  pthread_mutex_unlock(&client->mutex);
  return QUBUS_OK;
}

void call_finish(qubus_call *call, int32_t outcome) {
  qubus_client *client = call->client;
  if (call->state == call_done) return;
  unlink_open(client, call);
  call->state = call_done;
  call->outcome = outcome;
  call_announce(call);
  driver_wake_waiters(client, call);
  // The last look at the call: a step that nobody waits for is freed here.
  if (call->kind == call_resume) {
    session_resumed(call->session);
  } else if (call->kind == call_step) {
    step_ended(call);
  }
}

void call_fail(qubus_call *call, int32_t code, const char *format, ...) {
  if (call->state == call_done) return;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(call->failure, sizeof call->failure, format, arguments);
  va_end(arguments);
  // What the server said, if anything, is not this outcome; a worker may be reading it just now.
  if (call->state != call_processing) reply_free(&call->final);
  call_finish(call, code);
}

void call_restart(qubus_call *call) {
  qubus_client *client = call->client;
  if (call->state == call_sent) {
    connection_send_control(client, QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_CANCEL, call->id, 0);
  }
  unlink_open(client, call);
  call_drop_replies(call);
  call_enlist(call);
  connection_transmit(client, call);
  driver_after_send(client);
}

void call_abandon(qubus_call *call) {
  qubus_client *client = call->client;
  if (call->state == call_sent && call->kind != call_ping) {
    connection_send_control(client, QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_CANCEL, call->id, 0);
    driver_after_send(client);
  }
  unlink_open(client, call);
  if (call->state != call_done) {
    call->state = call_done;
    call->outcome = QUBUS_E_CALL_CANCELED;
    if (call->kind == call_step) step_ended(call);
  }
  if (call->is_announced == 1) unlink_completion(client, call);
  call->is_announced = 0;
}

int32_t call_is_over(const void *call) {
  return ((const qubus_call *)call)->state == call_done;
}

int32_t call_wait_done(qubus_call *call, monotonic deadline, qubus_error *error) {
  qubus_client *client = call->client;
  pthread_mutex_lock(&client->mutex);
  int32_t is_over = driver_wait(client, call_is_over, call, deadline);
  pthread_mutex_unlock(&client->mutex);
  if (is_over) return QUBUS_OK;
  return error_set(error, QUBUS_E_DEADLINE_EXCEEDED, "%s has not ended within the time-out",
                   call->method ? call->method->name : "the ping");
}

int32_t call_outcome(qubus_call *call, qubus_error *error) {
  int32_t code = call->outcome;
  if (code == QUBUS_OK) return code;
  // An outcome of this side first: after a cancel a worker may be writing the others still.
  if (call->failure[0]) return error_set(error, code, "%s", call->failure);
  if (call->detail != NULL && call->detail->code == code) {
    error_copy(error, call->detail);
    return code;
  }
  if (!call->final.has_error) return error_set(error, code, "%s", qubus_error_name(code));
  uint8_t buffer[2048];
  qubus_arena arena;
  ProtobufCMessage *message;
  size_t count = zmq_msg_size(&call->final.envelope);
  qubus_arena_init(&arena, buffer, sizeof buffer, message_budget(count));
  int32_t decoded = message_decode(&qubus__v1__envelope__descriptor,
                                   zmq_msg_data(&call->final.envelope), count, &arena, &message,
                                   error);
  if (decoded == QUBUS_OK) {
    error_from_status(error, ((const Qubus__V1__Envelope *)(const void *)message)->status);
  }
  qubus_arena_free(&arena);
  return code;
}

int32_t call_decode(
    qubus_call *call, qubus_arena *arena, ProtobufCMessage **out, qubus_error *error) {
  return message_decode(call->method->response, zmq_msg_data(&call->final.body),
                        zmq_msg_size(&call->final.body), arena, out, error);
}

int32_t call_run(qubus_call *call, int64_t timeout, qubus_error *error) {
  if (timeout == QUBUS_UNSET) timeout = call->client->call_timeout;
  monotonic deadline = deadline_after(timeout);
  int32_t code = call_begin(call, deadline, error);
  if (code == QUBUS_OK) code = call_wait_done(call, deadline, error);
  if (code == QUBUS_OK) code = call_outcome(call, error);
  if (code != QUBUS_OK) qubus_call_free(&call);
  return code;
}

// Public

int32_t qubus_call_wait(qubus_call *call, int64_t timeout_milliseconds, qubus_error *error) {
  error_clear(error);
  if (call == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "call is NULL");
  if (client_is_foreign(call->client)) return client_check(call->client, error);
  int32_t code = call_wait_done(call, deadline_after(timeout_milliseconds), error);
  return code != QUBUS_OK ? code : call_outcome(call, error);
}

int32_t qubus_call_is_done(qubus_call *call) {
  if (call == NULL || client_is_foreign(call->client)) return 0;
  qubus_client *client = call->client;
  pthread_mutex_lock(&client->mutex);
  if (call->state != call_done && !client->driver_sleeps && !client->io_sleeps) {
    driver_look(client);
  }
  int32_t is_done = call->state == call_done;
  pthread_mutex_unlock(&client->mutex);
  return is_done;
}

int32_t qubus_call_cancel(qubus_call *call) {
  if (call == NULL) return QUBUS_E_INVALID_ARGUMENT;
  if (client_is_foreign(call->client)) return QUBUS_E_USED_AFTER_FORK;
  qubus_client *client = call->client;
  pthread_mutex_lock(&client->mutex);
  if (call->state != call_done) {
    if (call->state == call_sent) {
      connection_send_control(client, QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_CANCEL, call->id, 0);
      driver_after_send(client);
    }
    call_fail(call, QUBUS_E_CALL_CANCELED, "the call was canceled");
  }
  pthread_mutex_unlock(&client->mutex);
  return QUBUS_OK;
}

const char *qubus_call_idempotency_key(const qubus_call *call) {
  return call != NULL && call->key != NULL ? call->key : "";
}

void qubus_call_free(qubus_call **call) {
  if (call == NULL || *call == NULL) return;
  qubus_call *freed = *call;
  *call = NULL;
  qubus_client *client = freed->client;
  if (client_is_foreign(client)) return;
  pthread_mutex_lock(&client->mutex);
  call_abandon(freed);
  pthread_mutex_unlock(&client->mutex);
  call_release(freed);
}

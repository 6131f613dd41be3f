#include "internal.h"

#include <stdlib.h>
#include <string.h>

enum { restarts_maximum = 8 };

/// Packs the request of the stream's call, for what comes after the last event handed out.
int32_t stream_prepare(qubus_stream *stream, qubus_error *error) {
  Qubus__V1__WatchJobRequest request = QUBUS__V1__WATCH_JOB_REQUEST__INIT;
  request.job_id = stream->job_id;
  request.after_sequence = stream->last_sequence;
  zmq_msg_t packed;
  int32_t code = message_encode(&request.base, &packed, error);
  if (code != QUBUS_OK) return code;
  zmq_msg_move(&stream->call->request, &packed);
  zmq_msg_close(&packed);
  return QUBUS_OK;
}

int32_t qubus_stream_open(
    qubus_job *job, uint64_t after_sequence, uint64_t tag, qubus_stream **out,
    qubus_error *error) {
  if (out != NULL) *out = NULL;
  error_clear(error);
  if (job == NULL || out == NULL) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "job or out is NULL");
  }
  qubus_client *client = job->client;
  int32_t code = client_check(client, error);
  if (code != QUBUS_OK) return code;
  qubus_stream *stream = calloc(1, sizeof *stream);
  if (stream == NULL) return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a stream");
  qubus_arena_init(&stream->arena, NULL, 0, (size_t)1 << 30);
  stream->client = client;
  stream->last_sequence = after_sequence;
  client_retain(client);
  stream->job_id = strdup(job->id);
  code = stream->job_id == NULL
             ? error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a stream")
             : call_create(client, call_stream, &method_watch, tag, &stream->call, error);
  if (code == QUBUS_OK) {
    stream->call->stream = stream;
    stream->call->credit = client->stream_credit;
    code = stream_prepare(stream, error);
  }
  if (code == QUBUS_OK) code = call_begin(stream->call, time_never, error);
  if (code != QUBUS_OK) {
    qubus_stream_free(&stream);
    return code;
  }
  *out = stream;
  return QUBUS_OK;
}

void qubus_stream_free(qubus_stream **stream) {
  if (stream == NULL || *stream == NULL) return;
  qubus_stream *freed = *stream;
  *stream = NULL;
  qubus_client *client = freed->client;
  if (client_is_foreign(client)) return;
  qubus_call_free(&freed->call);
  free(freed->job_id);
  qubus_json_free(&freed->json);
  qubus_arena_free(&freed->arena);
  free(freed);
  client_release(client);
}

int32_t qubus_stream_cancel(qubus_stream *stream) {
  if (stream == NULL) return QUBUS_E_INVALID_ARGUMENT;
  if (client_is_foreign(stream->client)) return QUBUS_E_USED_AFTER_FORK;
  pthread_mutex_lock(&stream->client->mutex);
  stream->is_canceled = 1;
  driver_wake_waiters(stream->client, stream->call);
  pthread_mutex_unlock(&stream->client->mutex);
  return qubus_call_cancel(stream->call);
}

static int32_t has_news(const void *subject) {
  const qubus_call *call = subject;
  return call->partials != NULL || call->state == call_done || call->stream->is_canceled;
}

/// Under the mutex: asks again for what comes after the last event handed out.
static int32_t restart(qubus_stream *stream, qubus_error *error) {
  if (++stream->restarts > restarts_maximum) {
    return error_set(error, QUBUS_E_PROTOCOL_ERROR,
                     "the server skips events of job %s after number %llu", stream->job_id,
                     (unsigned long long)stream->last_sequence);
  }
  int32_t code = stream_prepare(stream, error);
  if (code == QUBUS_OK) call_restart(stream->call);
  return code;
}

/// Under the mutex: the stream's call has ended. Says how, or asks for events that are missing still
/// (`QUBUS_OK`: the stream goes on).
static int32_t end(qubus_stream *stream, qubus_error *error) {
  qubus_call *call = stream->call;
  int32_t code = call_outcome(call, error);
  if (code != QUBUS_OK) return code;
  uint8_t buffer[2048];
  qubus_arena arena;
  ProtobufCMessage *message;
  qubus_arena_init(&arena, buffer, sizeof buffer,
                   message_budget(zmq_msg_size(&call->final.body)));
  code = call_decode(call, &arena, &message, error);
  uint64_t last = 0;
  if (code == QUBUS_OK) {
    const Qubus__V1__WatchJobResponse *response = (const void *)message;
    if (response->job != NULL) last = response->job->last_sequence;
  }
  qubus_arena_free(&arena);
  if (code != QUBUS_OK) return code;
  if (last > stream->last_sequence) return restart(stream, error);
  return error_set(error, QUBUS_E_END_OF_STREAM, "the stream of job %s has ended",
                   stream->job_id);
}

/// Under the mutex: takes the next element, or says why there is none.
static int32_t take_element(
    qubus_stream *stream, monotonic deadline, reply **out, qubus_error *error) {
  qubus_call *call = stream->call;
  *out = NULL;
  for (;;) {
    if (!driver_wait(stream->client, has_news, call, deadline)) {
      // Read empty: the next event is announced again.
      if (call->is_announced == 2) call->is_announced = 0;
      return error_set(error, QUBUS_E_DEADLINE_EXCEEDED, "no event within the time-out");
    }
    if (stream->is_canceled) {
      return error_set(error, QUBUS_E_CALL_CANCELED, "the stream was canceled");
    }
    if (call->partials != NULL) break;
    int32_t code = end(stream, error);
    if (code != QUBUS_OK) return code;
  }
  reply *element = call->partials;
  call->partials = element->next;
  if (call->partials == NULL) call->last_partial = NULL;
  element->next = NULL;
  call->granted_later += element->bytes;
  if (call->granted_later >= call->credit / 2 && call->state == call_sent) {
    connection_send_control(stream->client, QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_CREDIT,
                            call->id, call->granted_later);
    call->granted_later = 0;
    driver_after_send(stream->client);
  }
  *out = element;
  return QUBUS_OK;
}

/// Without the mutex: unpacks an element into the stream's arena.
static int32_t decode_event(
    qubus_stream *stream, reply *element, Qubus__V1__JobEvent **out, qubus_error *error) {
  qubus_arena_reset(&stream->arena);
  stream->json.count = 0;
  ProtobufCMessage *message;
  int32_t code = message_decode(&qubus__v1__job_event__descriptor, zmq_msg_data(&element->body),
                                zmq_msg_size(&element->body), &stream->arena, &message, error);
  *out = (void *)message;
  return code;
}

static int32_t hand_out(
    qubus_stream *stream, const Qubus__V1__JobEvent *message, qubus_event *event,
    qubus_error *error) {
  qubus_json_append(&stream->json, &message->base);
  if (stream->json.is_out_of_memory) {
    qubus_json_free(&stream->json);
    return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for an event");
  }
  event->status = (int32_t)message->status;
  event->sequence = message->sequence;
  event->time_microseconds = message->time;
  event->attempt = message->attempt;
  event->type = message->type;
  event->reason = message->reason;
  event->json = stream->json.data;
  event->json_bytes = stream->json.count;
  return QUBUS_OK;
}

/// Reads until an event that continues the sequence; skips doubles, asks again across a gap.
static int32_t next_event(
    qubus_stream *stream, monotonic deadline, qubus_event *event, qubus_error *error) {
  qubus_client *client = stream->client;
  for (;;) {
    reply *element;
    pthread_mutex_lock(&client->mutex);
    int32_t code = take_element(stream, deadline, &element, error);
    pthread_mutex_unlock(&client->mutex);
    if (code != QUBUS_OK) return code;
    Qubus__V1__JobEvent *message;
    code = decode_event(stream, element, &message, error);
    reply_free(element);
    free(element);
    if (code != QUBUS_OK) return code;
    if (message->sequence <= stream->last_sequence) continue;
    pthread_mutex_lock(&client->mutex);
    int32_t is_next = message->sequence == stream->last_sequence + 1;
    if (is_next) {
      stream->last_sequence = message->sequence;
      stream->restarts = 0;
    } else {
      code = restart(stream, error);
    }
    pthread_mutex_unlock(&client->mutex);
    if (is_next) return hand_out(stream, message, event, error);
    if (code != QUBUS_OK) return code;
  }
}

int32_t qubus_stream_next(
    qubus_stream *stream, int64_t timeout_milliseconds, qubus_event *event, qubus_error *error) {
  error_clear(error);
  if (stream == NULL || event == NULL || event->struct_size < sizeof *event) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                     "stream or event is NULL, or event does not start from QUBUS_EVENT_INIT");
  }
  qubus_client *client = stream->client;
  int32_t code = client_check(client, error);
  if (code != QUBUS_OK) return code;
  pthread_mutex_lock(&client->mutex);
  int32_t is_read = stream->is_read;
  stream->is_read = 1;
  pthread_mutex_unlock(&client->mutex);
  if (is_read) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "another thread reads this stream");
  }
  code = next_event(stream, deadline_after(timeout_milliseconds), event, error);
  pthread_mutex_lock(&client->mutex);
  stream->is_read = 0;
  pthread_mutex_unlock(&client->mutex);
  return code;
}

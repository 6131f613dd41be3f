#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void reply_free(reply *reply) {
  zmq_msg_close(&reply->envelope);
  zmq_msg_close(&reply->body);
  for (size_t i = 0; i < reply->attachment_count; i++) {
    zmq_msg_close(&reply->attachments[i].frame);
  }
  free(reply->attachments);
  memset(reply, 0, sizeof *reply);
  zmq_msg_init(&reply->envelope);
  zmq_msg_init(&reply->body);
}

int32_t connection_receive(qubus_client *client, zmq_msg_t *frame, int32_t *more) {
  if (client->socket == NULL) return direct_receive(&client->direct, frame, more);
  int32_t count;
  do {
    count = zmq_msg_recv(frame, client->socket, ZMQ_DONTWAIT);
  } while (count < 0 && zmq_errno() == EINTR);
  *more = count >= 0 && zmq_msg_more(frame);
  return count >= 0;
}

void receive_skip(qubus_client *client, int32_t more) {
  while (more) {
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    if (!connection_receive(client, &frame, &more)) more = 0;
    zmq_msg_close(&frame);
  }
}

/// Takes the body and the attachments of a message. Returns NULL or what is wrong with them.
static const char *receive_frames(
    qubus_client *client, const Qubus__V1__Envelope *envelope, int32_t more, reply *into) {
  if (more) {
    if (!connection_receive(client, &into->body, &more)) return "the body is missing";
  }
  into->bytes = zmq_msg_size(&into->body);
  size_t count = envelope->n_attachments;
  const char *problem = NULL;
  if (count > 0 && count <= attachments_maximum) {
    into->attachments = calloc(count, sizeof *into->attachments);
    if (into->attachments == NULL) problem = "there is no memory for its attachments";
  } else if (count > 0) {
    problem = "it has too many attachments";
  }
  while (problem == NULL && more && into->attachment_count < count) {
    attachment *next = &into->attachments[into->attachment_count];
    const Qubus__V1__AttachmentDescriptor *described =
        envelope->attachments[into->attachment_count];
    zmq_msg_init(&next->frame);
    into->attachment_count++;
    if (!connection_receive(client, &next->frame, &more)) {
      problem = "an attachment is missing";
      break;
    }
    next->crc32c = described->crc32c;
    next->data_type = (int32_t)described->data_type;
    next->rank = (uint32_t)described->n_shape;
    next->bytes = described->bytes;
    for (size_t i = 0; i < described->n_shape && i < 3; i++) next->shape[i] = described->shape[i];
    into->bytes += zmq_msg_size(&next->frame);
    if (zmq_msg_size(&next->frame) != described->bytes) {
      problem = "an attachment has another length than its descriptor says";
    }
  }
  if (problem == NULL && into->attachment_count < count) problem = "an attachment is missing";
  if (problem == NULL && more) problem = "it has frames that nothing describes";
  receive_skip(client, more);
  return problem;
}

static void end_call(qubus_client *client, qubus_call *call, int32_t outcome) {
  if (call->kind == call_step) {
    step_answered(call, outcome);
    return;
  }
  if (call->kind != call_result) {
    call_finish(call, outcome);
    return;
  }
  call->outcome = outcome;
  call->state = call_processing;
  call_retain(call);
  call->next_deferred = NULL;
  if (client->last_deferred != NULL) {
    client->last_deferred->next_deferred = call;
  } else {
    client->first_deferred = call;
  }
  client->last_deferred = call;
}

static void receive_final(
    qubus_client *client, qubus_call *call, const Qubus__V1__Envelope *envelope,
    zmq_msg_t *envelope_frame, int32_t more) {
  const Qubus__V1__Status *status = envelope->status;
  int32_t outcome = error_from_status(NULL, status);
  reply_free(&call->final);
  call->answered_on = client->connection_number;
  const char *problem = receive_frames(client, envelope, more, &call->final);
  if (problem != NULL && call->kind == call_step && outcome == QUBUS_OK) {
    step_settle(call, problem, 0);
    return;
  }
  if (problem != NULL && call->kind != call_step) {
    call_fail(call, QUBUS_E_PROTOCOL_ERROR, "the answer to %s is malformed: %s",
              call->method ? call->method->name : "ping", problem);
    return;
  }
  if (outcome != QUBUS_OK) {
    zmq_msg_move(&call->final.envelope, envelope_frame);
    call->final.has_error = 1;
  }
  if (call == &client->hello) {
    call->outcome = outcome;
    call->state = call_done;
    connection_hello_done(client);
    return;
  }
  if (outcome == QUBUS_E_SERVER_SHUTTING_DOWN) {
    // It was not acted upon: the next server gets it.
    if (client->is_going_away == 0) client->is_going_away = 1;
    call_drop_replies(call);
    call->state = call_queued;
    return;
  }
  client->backoff = client->reconnect_minimum;
  end_call(client, call, outcome);
}

static void receive_partial(
    qubus_client *client, qubus_call *call, const Qubus__V1__Envelope *envelope, int32_t more) {
  reply *part = calloc(1, sizeof *part);
  if (part == NULL) {
    receive_skip(client, more);
    call_fail(call, QUBUS_E_OUT_OF_MEMORY, "no memory for an element of a stream");
    return;
  }
  reply_free(part);
  const char *problem = receive_frames(client, envelope, more, part);
  if (problem != NULL) {
    reply_free(part);
    free(part);
    call_fail(call, QUBUS_E_PROTOCOL_ERROR, "an element of %s is malformed: %s",
              call->method->name, problem);
    return;
  }
  client->backoff = client->reconnect_minimum;
  if (call->last_partial != NULL) {
    call->last_partial->next = part;
  } else {
    call->partials = part;
  }
  call->last_partial = part;
  if (call->kind == call_result) {
    fetch_partial(call, part);
  } else {
    if (call->kind == call_optimize) optimization_heard(call->optimization, part);
    call_announce(call);
    driver_wake_waiters(client, call);
  }
}

static void dispatch(
    qubus_client *client, const Qubus__V1__Envelope *envelope, zmq_msg_t *frame, int32_t more) {
  const char *instance = envelope->server_instance_id;
  if (client->connection == connection_ready && instance[0] != 0 && client->instance[0] != 0 &&
      strncmp(instance, client->instance, sizeof client->instance - 1) != 0) {
    receive_skip(client, more);
    connection_lost(client, QUBUS_E_CONNECTION_LOST, "another instance of the server answers");
    return;
  }
  qubus_call *call = client->connection == connection_opening
                         ? (envelope->call_id == client->hello.id ? &client->hello : NULL)
                         : call_find(client, envelope->call_id);
  switch (envelope->kind) {
    case QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_FINAL:
      if (call != NULL && call->state == call_sent && call->kind != call_ping) {
        receive_final(client, call, envelope, frame, more);
        return;
      }
      if (call == &client->hello) {
        receive_final(client, call, envelope, frame, more);
        return;
      }
      break;
    case QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_PARTIAL:
      if (call != NULL && call->state == call_sent &&
          (call->kind == call_stream || call->kind == call_result ||
           call->kind == call_optimize)) {
        receive_partial(client, call, envelope, more);
        return;
      }
      break;
    case QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_PONG:
      if (call != NULL && call->kind == call_ping && call->state == call_sent) {
        call_finish(call, QUBUS_OK);
      }
      break;
    case QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_GOAWAY:
      if (client->connection == connection_ready && client->is_going_away == 0) {
        client->is_going_away = 1;
      }
      break;
    default:
      break;
  }
  // An answer to a call that was given up, or a kind of a newer protocol: nobody waits for it.
  receive_skip(client, more);
}

static void receive_message(qubus_client *client, zmq_msg_t *frame, int32_t more) {
  static const qubus_wire_limits limits = {32, 1u << 20, 1u << 26, 1u << 26, 1, 0};
  const uint8_t *data = zmq_msg_data(frame);
  size_t count = zmq_msg_size(frame);
  if (client->synchronous_steps > 0 && step_receive(client, data, count, more)) return;
  char detail[128];
  Qubus__V1__Envelope *envelope = NULL;
  qubus_arena_reset(&client->arena);
  if (qubus_wire_check(&qubus__v1__envelope__descriptor, data, count, &limits, detail,
                       sizeof detail) == QUBUS_OK) {
    envelope = qubus__v1__envelope__unpack(qubus_arena_allocator(&client->arena), count, data);
  }
  if (envelope == NULL) {
    receive_skip(client, more);
    connection_lost(client, QUBUS_E_PROTOCOL_ERROR, "the server sent a malformed envelope");
    return;
  }
  dispatch(client, envelope, frame, more);
}

static void run_deferred(qubus_client *client) {
  // One thread works the list off; a restart inside may receive, and must not come back here.
  if (client->is_running_deferred) return;
  client->is_running_deferred = 1;
  while (client->first_deferred != NULL) {
    qubus_call *call = client->first_deferred;
    client->first_deferred = call->next_deferred;
    if (client->first_deferred == NULL) client->last_deferred = NULL;
    if (call->state == call_processing) {
      int32_t outcome = call->outcome;
      pthread_mutex_unlock(&client->mutex);
      int32_t goes_on = fetch_process(call, &outcome);
      pthread_mutex_lock(&client->mutex);
      if (call->state == call_processing && goes_on) {
        call_restart(call);
      } else if (call->state == call_processing) {
        call_finish(call, outcome);
      }
    }
    // The last reference may go here, and must not under the mutex.
    pthread_mutex_unlock(&client->mutex);
    call_release(call);
    pthread_mutex_lock(&client->mutex);
  }
  client->is_running_deferred = 0;
}

size_t receive_all(qubus_client *client) {
  size_t received = 0;
  client->needs_drain = 0;
  client->direct.may_hold_more = 1;
  while (connection_is_open(client)) {
    if (received == messages_per_drain) {
      client->needs_drain = 1;
      break;
    }
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    int32_t more = 0;
    if (!connection_receive(client, &frame, &more)) {
      zmq_msg_close(&frame);
      if (client->socket == NULL && client->direct.is_broken) connection_broke(client);
      break;
    }
    received++;
    receive_message(client, &frame, more);
    zmq_msg_close(&frame);
  }
  run_deferred(client);
  return received;
}

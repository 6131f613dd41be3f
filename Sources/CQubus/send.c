/// Messages to the server: envelope, body, attachments. Everything here runs under the mutex.
#include "internal.h"

static int32_t send_whole(
    qubus_client *client, const void *const *frames, const size_t *sizes, size_t count) {
  int32_t is_sent = direct_send(&client->direct, frames, sizes, count);
  if (direct_has_rest(&client->direct)) driver_call_io(client);
  return is_sent;
}

static int32_t send_directly(
    qubus_client *client, zmq_msg_t *envelope, zmq_msg_t *body, zmq_msg_t *frames,
    uint32_t frame_count) {
  const void *data[2 + request_frames_maximum] = {zmq_msg_data(envelope)};
  size_t sizes[2 + request_frames_maximum] = {zmq_msg_size(envelope)};
  size_t count = 1;
  for (uint32_t i = 0; body != NULL && i <= frame_count; i++) {
    zmq_msg_t *frame = i == 0 ? body : &frames[i - 1];
    data[count] = zmq_msg_data(frame);
    sizes[count++] = zmq_msg_size(frame);
  }
  return send_whole(client, data, sizes, count);
}

/// Sends an envelope and, when `body` is not NULL, a body frame and attachments that share memory.
static int32_t send_frames(
    qubus_client *client, const Qubus__V1__Envelope *envelope, zmq_msg_t *body, zmq_msg_t *frames,
    uint32_t frame_count) {
  zmq_msg_t frame;
  if (!connection_is_open(client) ||
      zmq_msg_init_size(&frame, qubus__v1__envelope__get_packed_size(envelope)) != 0) {
    return 0;
  }
  qubus__v1__envelope__pack(envelope, zmq_msg_data(&frame));
  if (client->socket == NULL) {
    int32_t is_sent = send_directly(client, &frame, body, frames, frame_count);
    zmq_msg_close(&frame);
    return is_sent;
  }
  client->needs_drain = 1;
  if (zmq_msg_send(&frame, client->socket, ZMQ_DONTWAIT | (body ? ZMQ_SNDMORE : 0)) < 0) {
    zmq_msg_close(&frame);
    return 0;
  }
  for (uint32_t i = 0; body != NULL && i <= frame_count; i++) {
    zmq_msg_t copy;
    zmq_msg_init(&copy);
    zmq_msg_copy(&copy, i == 0 ? body : &frames[i - 1]);
    if (zmq_msg_send(&copy, client->socket,
                     ZMQ_DONTWAIT | (i < frame_count ? ZMQ_SNDMORE : 0)) < 0) {
      zmq_msg_close(&copy);
      return 0;
    }
  }
  return 1;
}

int32_t connection_send(
    qubus_client *client, const void *const *frames, const size_t *sizes, size_t count) {
  if (!connection_is_open(client)) return 0;
  if (client->socket == NULL) return send_whole(client, frames, sizes, count);
  client->needs_drain = 1;
  for (size_t i = 0; i < count; i++) {
    int flags = ZMQ_DONTWAIT | (i + 1 < count ? ZMQ_SNDMORE : 0);
    if (zmq_send(client->socket, frames[i], sizes[i], flags) < 0) return 0;
  }
  return 1;
}

void connection_send_control(
    qubus_client *client, Qubus__V1__MessageKind kind, uint64_t id, uint64_t credit) {
  if (client->connection != connection_ready) return;
  Qubus__V1__Envelope envelope = QUBUS__V1__ENVELOPE__INIT;
  envelope.protocol_version = 1;
  envelope.kind = kind;
  envelope.call_id = id;
  envelope.credit_bytes = credit;
  send_frames(client, &envelope, NULL, NULL, 0);
}

int32_t connection_send_call(qubus_client *client, qubus_call *call) {
  Qubus__V1__Envelope envelope = QUBUS__V1__ENVELOPE__INIT;
  envelope.protocol_version = 1;
  envelope.call_id = call->id;
  if (call->kind == call_ping) {
    envelope.kind = QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_PING;
    return send_frames(client, &envelope, NULL, NULL, 0);
  }
  envelope.kind = QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_CALL;
  envelope.method = (char *)(uintptr_t)call->method->name;
  envelope.credit_bytes = call->credit;
  envelope.timeout_milliseconds = connection_time_left(call);
  // HELLO is of the connection, whose key is enough: a token that has expired must not keep it from
  // being made, or a new token could not be used at once.
  if (call->kind != call_hello) envelope.token = credentials_token(client);
  Qubus__V1__AttachmentDescriptor described[request_frames_maximum];
  Qubus__V1__AttachmentDescriptor *pointers[request_frames_maximum];
  uint64_t shapes[request_frames_maximum];
  for (uint32_t i = 0; i < call->frame_count; i++) {
    size_t bytes = zmq_msg_size(&call->frames[i]);
    qubus__v1__attachment_descriptor__init(&described[i]);
    pointers[i] = &described[i];
    shapes[i] = bytes / sizeof(double);
    described[i].data_type = QUBUS__V1__DATA_TYPE__DATA_TYPE_FLOAT64;
    described[i].shape = &shapes[i];
    described[i].n_shape = 1;
    described[i].bytes = bytes;
    described[i].crc32c = qubus_crc32c(0, zmq_msg_data(&call->frames[i]), bytes);
  }
  envelope.attachments = pointers;
  envelope.n_attachments = call->frame_count;
  return send_frames(client, &envelope, &call->request, call->frames, call->frame_count);
}

void connection_send_farewell(
    qubus_client *client, const method *method, const ProtobufCMessage *request) {
  if (client->connection != connection_ready) return;
  Qubus__V1__Envelope envelope = QUBUS__V1__ENVELOPE__INIT;
  envelope.protocol_version = 1;
  envelope.kind = QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_CALL;
  envelope.call_id = ++client->last_id;
  envelope.method = (char *)(uintptr_t)method->name;
  envelope.token = credentials_token(client);
  zmq_msg_t body;
  if (message_encode(request, &body, NULL) != QUBUS_OK) return;
  if (send_frames(client, &envelope, &body, NULL, 0)) client->has_farewell = 1;
  zmq_msg_close(&body);
}

uint32_t connection_time_left(const qubus_call *call) {
  if (call->deadline == time_never) return 0;
  int64_t left = (call->deadline - monotonic_now()) / 1000000 + 1;
  return left < 1 ? 1 : left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
}

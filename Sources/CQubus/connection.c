#include "session.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
  attempt_milliseconds = 5000,
  heartbeat_milliseconds = 2000,
  silence_milliseconds = 10000,
  farewell_milliseconds = 200,
};

static const int64_t going_away_milliseconds = 10000;

monotonic monotonic_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (monotonic)now.tv_sec * 1000000000 + now.tv_nsec;
}

monotonic deadline_after(int64_t milliseconds) {
  monotonic now = monotonic_now();
  if (milliseconds < 0 || milliseconds > (time_never - now) / 1000000) return time_never;
  return now + milliseconds * 1000000;
}

/// SplitMix64 (Steele, Lea, Flood 2014): spreads the clients' reconnects; nothing depends on it.
uint64_t random_next(qubus_client *client) {
  uint64_t z = client->random_state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

static void set_option(void *socket, int option, int value) {
  zmq_setsockopt(socket, option, &value, sizeof value);
}

/// Sets the keys, where there are any, and connects; 0 when libzmq refuses.
static int32_t connect_socket(qubus_client *client, void *socket) {
  const char *endpoint = client->endpoint;
  if (strstr(endpoint, "://[") != NULL) set_option(socket, ZMQ_IPV6, 1);
  if (!client->has_keys) return zmq_connect(socket, endpoint) == 0;
  char address[320];
  int count = snprintf(address, sizeof address, "tcp%s", strstr(endpoint, "://"));
  return (size_t)count < sizeof address &&
         zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, client->server_key, key_bytes) == 0 &&
         zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, client->public_key, key_bytes) == 0 &&
         zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, client->secret_key, key_bytes) == 0 &&
         zmq_connect(socket, address) == 0;
}

/// Opens the socket and its monitor; 0 when the system refuses.
static int32_t open_sockets(qubus_client *client) {
  char name[64];
  snprintf(name, sizeof name, "inproc://monitor-%u", client->connection_number);
  client->socket = zmq_socket(client->context, ZMQ_DEALER);
  client->monitor = zmq_socket(client->context, ZMQ_PAIR);
  if (client->socket == NULL || client->monitor == NULL) return 0;
  void *socket = client->socket;
  set_option(socket, ZMQ_LINGER, 0);
  set_option(client->monitor, ZMQ_LINGER, 0);
  // A connection that broke stays broken: HELLO must be the first message of the next one, and
  // libzmq would send what is queued.
  set_option(socket, ZMQ_RECONNECT_IVL, -1);
  set_option(socket, ZMQ_SNDHWM, 0);
  set_option(socket, ZMQ_RCVHWM, 0);
  set_option(socket, ZMQ_HANDSHAKE_IVL, attempt_milliseconds);
  set_option(socket, ZMQ_HEARTBEAT_IVL, heartbeat_milliseconds);
  set_option(socket, ZMQ_HEARTBEAT_TIMEOUT, silence_milliseconds);
  set_option(socket, ZMQ_HEARTBEAT_TTL, silence_milliseconds);
  int events = ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
               ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
  size_t size = sizeof(int);
  return zmq_socket_monitor(socket, name, events) == 0 &&
         zmq_connect(client->monitor, name) == 0 &&
         zmq_getsockopt(socket, ZMQ_FD, &client->socket_descriptor, &size) == 0 &&
         zmq_getsockopt(client->monitor, ZMQ_FD, &client->monitor_descriptor, &size) == 0 &&
         connect_socket(client, socket);
}

int32_t connection_is_open(const qubus_client *client) {
  return client->socket != NULL || client->direct.descriptor >= 0;
}

/// 0, or errno of why there is no connection.
static int open_connection(qubus_client *client) {
  client->connection_number++;
  if (direct_serves(client->endpoint)) {
    direct_keys keys = {0};
    if (client->has_keys) {
      keys = (direct_keys){client->server_key, client->public_key, client->secret_key};
    }
    return direct_connect(&client->direct, client->endpoint, keys);
  }
  return open_sockets(client) ? 0 : zmq_errno();
}

void connection_stop(qubus_client *client) {
  int32_t lingers = client->is_closed && client->has_farewell;
  direct_close(&client->direct, lingers ? farewell_milliseconds : 0);
  if (client->socket != NULL) {
    if (lingers) {
      set_option(client->socket, ZMQ_LINGER, farewell_milliseconds);
    }
    zmq_socket_monitor(client->socket, NULL, 0);
    zmq_close(client->socket);
  }
  if (client->monitor != NULL) zmq_close(client->monitor);
  client->socket = client->monitor = NULL;
  client->socket_descriptor = client->monitor_descriptor = -1;
  client->connection = connection_down;
  client->is_going_away = 0;
}

void connection_transmit(qubus_client *client, qubus_call *call) {
  if (client->connection != connection_ready || client->is_going_away) return;
  if (call->kind == call_submit || call->kind == call_batch) {
    if (call->sends > client->submit_retries) {
      call_fail(call, QUBUS_E_CONNECTION_LOST,
                "the connection to %s broke %u times while the submit was open; submit again "
                "with the same idempotency key to learn its fate",
                client->endpoint, call->sends);
      return;
    }
  }
  if (call->kind == call_step && !step_is_due(call->step)) return;
  if (call->kind == call_optimize && !optimization_is_due(call->optimization)) return;
  if (call->kind == call_step ? !step_send(call->step) : !connection_send_call(client, call)) {
    connection_lost(client, QUBUS_E_CONNECTION_LOST, "the connection is gone");
    return;
  }
  call->sends++;
  call->state = call_sent;
}

static void schedule_attempt(qubus_client *client) {
  // Between half and one and a half times the back-off, so that many clients spread.
  int64_t half = client->backoff / 2;
  int64_t wait = half + (int64_t)(random_next(client) % (uint64_t)(client->backoff + 1));
  client->next_attempt = deadline_after(wait);
  client->backoff *= 2;
  if (client->backoff > client->reconnect_maximum) client->backoff = client->reconnect_maximum;
}

int64_t connection_first_patience(int64_t connect_timeout) {
  int64_t third = connect_timeout / 3;
  if (connect_timeout < 0 || third > attempt_milliseconds) return attempt_milliseconds;
  return third < 50 ? 50 : third;
}

void connection_start(qubus_client *client) {
  Qubus__V1__HelloRequest request = QUBUS__V1__HELLO_REQUEST__INIT;
  request.minimum_protocol_version = request.maximum_protocol_version = 1;
  request.client_name = client->name;
  request.client_version = (char *)(uintptr_t)QUBUS_VERSION_STRING;
  qubus_call *hello = &client->hello;
  call_clear(hello);
  call_init(hello, client, call_hello, &method_hello);
  hello->id = ++client->last_id;
  client->instance[0] = 0;
  int problem = open_connection(client);
  if (problem == ENOENT || problem == ECONNREFUSED || problem == EAGAIN) {
    client->connection = connection_opening;
    client->handshakes_refused = 0;
    connection_lost(client, QUBUS_E_CONNECTION_FAILED, "nobody listens there");
    return;
  }
  if (problem != 0 || message_encode(&request.base, &hello->request, NULL) != QUBUS_OK ||
      !connection_send_call(client, hello)) {
    connection_stop(client);
    error_set(&client->hello_error, QUBUS_E_CONNECTION_FAILED, "%s cannot be opened: %s",
              client->endpoint, zmq_strerror(problem ? problem : ENOMEM));
    client->hello_code = QUBUS_E_CONNECTION_FAILED;
    schedule_attempt(client);
    return;
  }
  client->connection = connection_opening;
  client->attempt_deadline = deadline_after(client->patience);
  connection_watch(client);
}

void connection_lost(qubus_client *client, int32_t code, const char *reason) {
  if (client->connection == connection_opening) {
    client->hello_code = code;
    error_set(&client->hello_error, code, "%s: %s", client->endpoint, reason);
  }
  connection_stop(client);
  schedule_attempt(client);
  for (qubus_call *call = client->first_open, *next; call != NULL; call = next) {
    next = call->next;
    if (call->state != call_sent) continue;
    if (call->is_unrepeatable) {
      call_fail(call, QUBUS_E_CONNECTION_LOST,
                "the connection to %s broke while %s was open (%s); whether the server acted on it "
                "is unknown",
                client->endpoint, call->method->name, reason);
      continue;
    }
    call_drop_replies(call);
    call->state = call_queued;
  }
  driver_interrupt(client);
}

static void queue_ready_calls(qubus_client *client) {
  for (qubus_call *call = client->first_open, *next; call != NULL; call = next) {
    next = call->next;
    if (call->state != call_queued) continue;
    if (call->kind == call_stream && stream_prepare(call->stream, NULL) != QUBUS_OK) {
      call_fail(call, QUBUS_E_OUT_OF_MEMORY, "no memory to resume the stream");
      continue;
    }
    if (call->kind == call_optimize && optimization_prepare(call->optimization) != QUBUS_OK) {
      call_fail(call, QUBUS_E_OUT_OF_MEMORY, "no memory to resume the optimization's stream");
      continue;
    }
    connection_transmit(client, call);
    if (client->connection != connection_ready) return;
  }
}

/// Whether the answer to HELLO lets this connection be used.
static int32_t accept_hello(qubus_client *client, qubus_error *error) {
  qubus_call *hello = &client->hello;
  int32_t code = call_outcome(hello, error);
  if (code != QUBUS_OK) return code;
  uint8_t buffer[2048];
  qubus_arena arena;
  qubus_arena_init(&arena, buffer, sizeof buffer, 1 << 20);
  ProtobufCMessage *message = NULL;
  code = call_decode(hello, &arena, &message, error);
  if (code == QUBUS_OK) {
    const Qubus__V1__HelloResponse *response = (const void *)message;
    if (response->protocol_version != 1) {
      code = error_set(error, QUBUS_E_UNSUPPORTED_PROTOCOL_VERSION,
                       "the server at %s speaks version %u of the protocol, this library version 1",
                       client->endpoint, response->protocol_version);
    }
    snprintf(client->instance, sizeof client->instance, "%s", response->server_instance_id);
    client->message_limit = 0;
    for (size_t i = 0; i < response->n_limits; i++) {
      if (strcmp(response->limits[i]->key, "message_bytes") != 0) continue;
      client->message_limit = strtoull(response->limits[i]->value, NULL, 10);
    }
  }
  qubus_arena_free(&arena);
  return code;
}

/// After a refusal that another attempt will not cure nobody waits for one.
static void fail_open_calls(qubus_client *client, int32_t code) {
  while (!client->hello_error.retryable && client->first_open != NULL) {
    call_fail(client->first_open, code, "%s", client->hello_error.message);
  }
  driver_wake_waiters(client, client);
}

void connection_hello_done(qubus_client *client) {
  qubus_error error = QUBUS_ERROR_INIT;
  int32_t code = accept_hello(client, &error);
  client->hello_code = code;
  client->handshakes_refused = 0;
  if (code == QUBUS_OK) {
    client->connection = connection_ready;
    queue_ready_calls(client);
    driver_wake_waiters(client, client);
    return;
  }
  connection_lost(client, code, "HELLO was refused");
  client->hello_error = error;
  fail_open_calls(client, code);
}

/// The handshake failed: the keys are wrong, or what listens there is something else.
static void handshake_failed(qubus_client *client, uint16_t event, uint32_t value) {
  char reason[512];
  int32_t code = credentials_explain(client, event, value, reason, sizeof reason);
  // One end speaks CURVE and the other does not: that will not change.
  int32_t is_definite = event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;
  if (is_definite) client->handshakes_refused = handshakes_before_giving_up;
  else if (client->has_keys) client->handshakes_refused++;
  connection_lost(client, code, reason);
  fail_open_calls(client, code);
}

void connection_broke(qubus_client *client) {
  if (client->connection == connection_opening && client->direct.state != direct_open) {
    uint16_t event = client->direct.failure;
    handshake_failed(client, event ? event : ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL,
                     client->direct.failure_value);
    return;
  }
  connection_lost(client, QUBUS_E_CONNECTION_LOST, "the server closed the connection");
}

void connection_watch(qubus_client *client) {
  uint32_t number = client->connection_number;
  while (client->monitor != NULL && client->connection_number == number) {
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    if (zmq_msg_recv(&frame, client->monitor, ZMQ_DONTWAIT) < 0) {
      zmq_msg_close(&frame);
      return;
    }
    uint16_t event = 0;
    uint32_t value = 0;
    if (zmq_msg_size(&frame) == sizeof event + sizeof value) {
      const uint8_t *told = zmq_msg_data(&frame);
      memcpy(&event, told, sizeof event);
      memcpy(&value, told + sizeof event, sizeof value);
    }
    int more = zmq_msg_more(&frame);
    zmq_msg_close(&frame);
    while (more) {
      zmq_msg_init(&frame);
      if (zmq_msg_recv(&frame, client->monitor, ZMQ_DONTWAIT) < 0) more = 0;
      else more = zmq_msg_more(&frame);
      zmq_msg_close(&frame);
    }
    if (event == 0) continue;
    int is_refused = client->connection == connection_opening && event == ZMQ_EVENT_CLOSED;
    if (is_refused) client->handshakes_refused = 0;
    // What the server said last may lie in the socket still. This may drop the mutex, so that another
    // thread may have replaced the connection when it returns.
    receive_all(client);
    if (client->monitor == NULL || client->connection_number != number) return;
    if (client->connection == connection_opening && event != ZMQ_EVENT_CLOSED &&
        event != ZMQ_EVENT_DISCONNECTED) {
      handshake_failed(client, event, value);
      return;
    }
    connection_lost(client, is_refused ? QUBUS_E_CONNECTION_FAILED : QUBUS_E_CONNECTION_LOST,
                    is_refused ? "nobody listens there"
                    : event == ZMQ_EVENT_DISCONNECTED ? "the server closed the connection"
                                                      : "the handshake failed");
    return;
  }
}

monotonic connection_next_timer(const qubus_client *client) {
  monotonic next = client->next_deadline;
  if (client->connection == connection_down && client->next_attempt < next) {
    next = client->next_attempt;
  }
  if ((client->connection == connection_opening || client->is_going_away) &&
      client->attempt_deadline < next) {
    next = client->attempt_deadline;
  }
  if (client->direct.descriptor >= 0 && direct_next_beat(&client->direct) < next) {
    next = direct_next_beat(&client->direct);
  }
  return next;
}

static void expire_calls(qubus_client *client, monotonic now) {
  // A call that ends may open others, which lower this again.
  client->next_deadline = time_never;
  for (qubus_call *call = client->first_open, *next; call != NULL; call = next) {
    next = call->next;
    if (call->deadline > now) {
      if (call->deadline < client->next_deadline) client->next_deadline = call->deadline;
      continue;
    }
    if (call->state == call_processing) continue;
    if (call->state == call_sent && call->kind != call_ping) {
      connection_send_control(client, QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_CANCEL, call->id, 0);
    }
    call_fail(call, QUBUS_E_DEADLINE_EXCEEDED, "%s: no answer within the time-out%s%s",
              call->method ? call->method->name : "ping",
              client->connection == connection_ready ? "" : "; not connected to ",
              client->connection == connection_ready ? "" : client->endpoint);
  }
}

static int32_t has_sent_calls(const qubus_client *client) {
  for (const qubus_call *call = client->first_open; call != NULL; call = call->next) {
    if (call->state == call_sent) return 1;
  }
  return 0;
}

void connection_timers(qubus_client *client) {
  if (client->is_closed) return;
  if (client->is_going_away == 1) {
    client->is_going_away = 2;
    client->attempt_deadline = deadline_after(going_away_milliseconds);
  }
  monotonic now = monotonic_now();
  if (client->is_going_away && (now >= client->attempt_deadline || !has_sent_calls(client))) {
    connection_lost(client, QUBUS_E_CONNECTION_LOST, "the server is stopping");
  }
  if (client->connection == connection_opening && now >= client->attempt_deadline) {
    // What was swallowed once may be answered on a fresh socket; a server that is slow gets longer.
    client->patience *= 2;
    if (client->patience > attempt_milliseconds) client->patience = attempt_milliseconds;
    connection_lost(client, QUBUS_E_CONNECTION_FAILED, "no answer to HELLO");
  }
  if (client->direct.descriptor >= 0 && now >= direct_next_beat(&client->direct)) {
    if (!direct_beat(&client->direct, now)) {
      connection_lost(client, QUBUS_E_CONNECTION_LOST, "the server fell silent");
    } else if (client->direct.is_doubted) {
      client->needs_drain = 1;
    }
  }
  if (client->connection == connection_down && now >= client->next_attempt) {
    connection_start(client);
  }
  if (now >= client->next_deadline) expire_calls(client, now);
}

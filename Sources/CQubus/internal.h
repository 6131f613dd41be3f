/// Inside of libqubus: types that its files share. Nothing here is exported.
///
/// Threads. One mutex per client guards everything in the structs below that is not said to be
/// constant; no other lock is taken under it. The socket is used under that mutex only, never while
/// a thread sleeps: a sleeper polls descriptors without the mutex and takes it again before it
/// touches the socket, so that any thread may send at any time. See driver.c.
#ifndef QUBUS_INTERNAL_H
#define QUBUS_INTERNAL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <zmq.h>

#include "direct.h"
#include "key.h"
#include "qubus.h"
#include "qubus_wire.h"
#include "session.pb-c.h"

enum {
  token_maximum = 4096,
  // A server that stops, or is short of descriptors, ends handshakes without a word too, but not for
  // long: with the shortest back-off these take about 0.3 s.
  handshakes_before_giving_up = 5,
  call_buckets = 1024,
  envelope_arena_bytes = 4096,
  attachments_maximum = 65536,
  messages_per_drain = 256,
};

/// Nanoseconds of the monotonic clock, or `time_never`.
typedef int64_t monotonic;
#define time_never INT64_MAX

// ------------------------------------------------------------------------------------- calls

typedef struct attachment {
  zmq_msg_t frame;
  uint32_t crc32c;
  int32_t data_type;      ///< QUBUS_TYPE_*
  uint32_t rank;          ///< of the descriptor; more axes than `shape` has are not kept
  uint64_t shape[3];
  uint64_t bytes;         ///< that the descriptor tells
} attachment;

/// A message of the server that belongs to a call.
typedef struct reply {
  struct reply *next;
  zmq_msg_t envelope;     ///< kept only when the status is not OK, else empty
  zmq_msg_t body;
  attachment *attachments;
  size_t attachment_count;
  uint64_t bytes;         ///< body and attachments: what the credit counts
  int32_t has_error;
} reply;

typedef enum call_kind {
  call_text,
  call_submit,
  call_batch,
  call_result,
  call_stream,
  call_ping,
  call_hello,
  call_step,
  call_resume,      ///< of a session, by the library itself
  call_optimize,
} call_kind;

enum { request_frames_maximum = 3 };

typedef enum call_state {
  call_new,
  call_queued,      ///< waits for a connection
  call_sent,
  call_processing,  ///< ended at the server; `process` runs without the mutex
  call_done,
} call_state;

/// How a method goes over the wire.
typedef struct method {
  const char *name;
  const ProtobufCMessageDescriptor *request;
  const ProtobufCMessageDescriptor *response;
  int32_t is_repeatable;  ///< may be sent again when its fate is unknown
} method;

struct fetch;
struct step;

struct qubus_call {
  atomic_int references;
  qubus_client *client;   ///< constant, counted
  const method *method;   ///< constant; NULL for a ping
  call_kind kind;         ///< constant
  uint64_t tag;           ///< constant
  call_state state;
  int32_t outcome;        ///< of a call that is done
  int32_t is_taken;
  int32_t is_unrepeatable;
  int32_t is_announced;   ///< stands in the list of completions
  uint64_t id;
  uint64_t credit;        ///< initial window; 0 for unary calls
  uint64_t granted_later; ///< consumed, not granted yet
  monotonic deadline;
  uint32_t sends;
  uint32_t answered_on;   ///< number of the connection that its FINAL came over
  zmq_msg_t request;      ///< packed body
  reply final;
  reply *partials, *last_partial;
  qubus_call *next_in_bucket;
  qubus_call *next, *previous;          ///< in the list of open calls, oldest first
  qubus_call *next_completion, *next_deferred;
  char *key;                            ///< idempotency key or NULL
  struct fetch *fetch;                  ///< of call_result
  qubus_stream *stream;                 ///< of call_stream
  struct step *step;                    ///< of call_step
  qubus_session *session;               ///< of call_resume
  qubus_optimization *optimization;     ///< of call_optimize
  struct method *owned_method;          ///< `method`, when it is the call's own
  zmq_msg_t frames[request_frames_maximum];  ///< attachments of the request, FLOAT64 vectors
  uint32_t frame_count;
  qubus_result *result;
  qubus_error *detail;                  ///< of an outcome that the answer's body told, or NULL
  char failure[256];                    ///< message of an outcome that arose on this side
};

// ------------------------------------------------------------------------------------ client

typedef struct waiter {
  struct waiter *next;
  const void *subject;
  pthread_cond_t condition;
  int32_t is_woken;
} waiter;

typedef enum connection_state {
  connection_down,     ///< next attempt at `next_attempt`
  connection_opening,  ///< HELLO was sent
  connection_ready,
} connection_state;

struct qubus_client {
  atomic_int references;
  pid_t process;            ///< constant
  char *endpoint;           ///< constant
  char *name;               ///< constant
  int64_t connect_timeout, call_timeout, reconnect_minimum, reconnect_maximum;  // ms, constant
  uint64_t stream_credit;   ///< constant
  uint32_t submit_retries;  ///< constant
  monotonic spin;           ///< ns, constant
  int32_t has_keys;         ///< constant; 1: the endpoint is curve://
  uint8_t server_key[key_bytes], public_key[key_bytes], secret_key[key_bytes];  // constant

  pthread_mutex_t mutex;
  int32_t is_closed;
  void *context;

  // connection.c
  connection_state connection;
  void *socket, *monitor;   ///< of libzmq; NULL while the connection is `direct`, or there is none
  int socket_descriptor, monitor_descriptor;
  direct direct;
  int32_t needs_drain;      ///< the socket was used since it last said that nothing waits
  int32_t is_going_away;
  uint32_t connection_number;
  qubus_call hello;
  monotonic next_attempt, attempt_deadline;
  int64_t backoff;          ///< ms
  int64_t patience;         ///< ms for which the answer to a HELLO is waited for
  uint64_t random_state;
  char instance[64];
  uint64_t message_limit;   ///< bytes of a body that the server takes; 0: it did not say
  int32_t hello_code;       ///< why the last attempt failed
  qubus_error hello_error;
  uint32_t handshakes_refused;  ///< one after the other

  // credentials.c
  char *token;              ///< NULL: none
  size_t token_bytes;

  // call.c
  uint64_t last_id;
  qubus_call *buckets[call_buckets];
  qubus_call *first_open, *last_open;
  monotonic next_deadline;
  qubus_call *first_completion, *last_completion;
  qubus_call *first_deferred, *last_deferred;
  int32_t is_running_deferred;

  // session.c, step_order.c
  qubus_session *first_session;
  int32_t synchronous_steps;  ///< in flight: whose answers are looked for without unpacking
  int32_t has_farewell;       ///< a message was sent that must leave although nobody waits
  // driver.c
  int32_t has_driver, driver_sleeps;
  uint64_t drives;          ///< by callers, so far
  int64_t park_milliseconds;  ///< for which the I/O thread looks away
  monotonic sleeps_until;   ///< of the thread that fell asleep last
  uint32_t spin_misses;     ///< after a spin in vain: waits that go to sleep at once
  uint32_t spin_rests;      ///< of them left
  waiter *waiters;
  int driver_wakeup, io_wakeup, readiness;  ///< eventfds, -1 when not made
  int32_t has_io_thread, io_sleeps, io_is_parked, io_is_called, io_must_end, is_orphaned;
  pthread_t io_thread;
  pthread_cond_t io_condition;

  qubus_arena arena;        ///< for envelopes
  _Alignas(16) uint8_t arena_bytes[envelope_arena_bytes];
};

struct qubus_job {
  atomic_int references;
  qubus_client *client;
  int32_t is_duplicate;
  char id[];
};

struct qubus_text {
  qubus_json json;
};

struct qubus_stream {
  atomic_int references;
  qubus_client *client;     ///< constant, counted
  qubus_call *call;         ///< constant, owned
  char *job_id;             ///< constant
  uint64_t last_sequence;   ///< newest that was handed out
  uint32_t restarts;        ///< since then
  int32_t is_read;          ///< a thread is inside `next`
  int32_t is_canceled;
  qubus_arena arena;        ///< the event handed out last; used by the reader only
  qubus_json json;
};

// ------------------------------------------------------------------------------------- error.c

/// Fills `error` (may be NULL) from the registry with a message of its own; returns `code`.
__attribute__((format(printf, 3, 4))) int32_t error_set(
    qubus_error *error, int32_t code, const char *format, ...);
void error_clear(qubus_error *error);
int32_t error_from_detail(
    qubus_error *error, const Qubus__V1__ErrorDetail *detail, uint32_t grpc_status);
int32_t error_from_status(qubus_error *error, const Qubus__V1__Status *status);
void error_copy(qubus_error *to, const qubus_error *from);

// -------------------------------------------------------------------------------------- text.c

/// Checks and unpacks a body; the message lives in `arena`, which the caller initialises with
/// `message_budget(count)` or less.
int32_t message_decode(
    const ProtobufCMessageDescriptor *descriptor, const void *data, size_t count,
    qubus_arena *arena, ProtobufCMessage **out, qubus_error *error);
/// Packs a message into a frame.
int32_t message_encode(const ProtobufCMessage *message, zmq_msg_t *out, qubus_error *error);
int32_t text_of(const ProtobufCMessage *message, qubus_text **out, qubus_error *error);
/// Budget for the unpacked form of `count` bytes.
size_t message_budget(size_t count);

// ------------------------------------------------------------------------------------ client.c

/// NULL, fork and closed checks of every public call.
int32_t client_check(const qubus_client *client, qubus_error *error);
int32_t client_is_foreign(const qubus_client *client);
void client_retain(qubus_client *client);
void client_release(qubus_client *client);
/// Frees everything; no other thread knows the client any more.
void client_destroy(qubus_client *client);
char *client_resolve_endpoint(const char *given, int32_t *code, qubus_error *error);
/// Whether the endpoint is encrypted and needs keys.
int32_t endpoint_is_curve(const char *endpoint);
/// The address of HOST:PORT where HOST is a number of this machine's own; 0 for any other, and for names.
struct sockaddr_storage;
int32_t endpoint_loopback(
    const char *endpoint, struct sockaddr_storage *out, size_t *length);

// ------------------------------------------------------------------------------- credentials.c

/// Takes keys and token from the options and the environment; the endpoint is known already.
int32_t credentials_read(
    qubus_client *client, const qubus_client_options *options, qubus_error *error);
/// Wipes them.
void credentials_destroy(qubus_client *client);
/// Under the mutex: the token for an envelope; empty without one.
ProtobufCBinaryData credentials_token(const qubus_client *client);
/// Under the mutex: what a failed handshake means, for the event of a socket monitor and its value.
/// Writes a sentence that says what to check; returns the code.
int32_t credentials_explain(
    const qubus_client *client, uint16_t event, uint32_t value, char *out, size_t capacity);

// -------------------------------------------------------------------------------- connection.c

monotonic monotonic_now(void);
/// A point `milliseconds` from now; negative: never.
monotonic deadline_after(int64_t milliseconds);
uint64_t random_next(qubus_client *client);

void connection_start(qubus_client *client);
int32_t connection_is_open(const qubus_client *client);
/// The direct connection ended, and what it brought has been received.
void connection_broke(qubus_client *client);
/// The next frame, and whether others of its message follow; 0 when there is none.
int32_t connection_receive(qubus_client *client, zmq_msg_t *frame, int32_t *more);
/// Milliseconds for which the first HELLO's answer is waited for: a third of the time to connect, so
/// that one that was swallowed leaves time for another on a fresh socket.
int64_t connection_first_patience(int64_t connect_timeout);
void connection_stop(qubus_client *client);
void connection_lost(qubus_client *client, int32_t code, const char *reason);
/// Reads what the socket monitor says.
void connection_watch(qubus_client *client);
/// Acts on what is due: next attempt, attempt that takes too long, deadlines of calls.
void connection_timers(qubus_client *client);
monotonic connection_next_timer(const qubus_client *client);
void connection_hello_done(qubus_client *client);
/// Sends frames that are the caller's. 0: the connection is gone.
int32_t connection_send(
    qubus_client *client, const void *const *frames, const size_t *sizes, size_t count);
/// Sends a call as its envelope, request and attachments. 0: the connection is gone.
int32_t connection_send_call(qubus_client *client, qubus_call *call);
/// Milliseconds that a call has left, for its envelope; 0 without a deadline.
uint32_t connection_time_left(const qubus_call *call);
/// Sends a request whose answer nobody waits for; nothing without a connection.
void connection_send_farewell(
    qubus_client *client, const method *method, const ProtobufCMessage *request);
/// Sends a call; leaves it queued when there is no connection to send it over.
void connection_transmit(qubus_client *client, qubus_call *call);
void connection_send_control(
    qubus_client *client, Qubus__V1__MessageKind kind, uint64_t id, uint64_t credit);

// ----------------------------------------------------------------------------------- receive.c

/// Receives and dispatches what waits; returns how many messages. May drop the mutex meanwhile.
size_t receive_all(qubus_client *client);
void reply_free(reply *reply);
/// Throws away what is left of a message.
void receive_skip(qubus_client *client, int32_t more);

// ------------------------------------------------------------------------------------ driver.c

/// Sleeps, driving the socket if nobody else does, until `is_over(subject)` or `deadline`. Holds the
/// mutex on entry and return. Returns 1 when it is over, 0 on time-out.
int32_t driver_wait(
    qubus_client *client, int32_t (*is_over)(const void *), const void *subject,
    monotonic deadline);
/// Looks once, without sleeping.
void driver_look(qubus_client *client);
/// After a send: takes in what came, unless this thread is about to wait anyway.
void driver_after_send(qubus_client *client);
void driver_wake_waiters(qubus_client *client, const void *subject);
/// Makes whoever sleeps look at timers and descriptors again.
void driver_interrupt(qubus_client *client);
/// Starts the I/O thread, if it does not run.
int32_t driver_start_io(qubus_client *client, qubus_error *error);
/// Makes the descriptor that tells of completions; from now on the I/O thread looks for them.
int32_t driver_open_readiness(qubus_client *client, qubus_error *error);
/// Something is left to be sent: whoever drives sends it, else the I/O thread.
void driver_call_io(qubus_client *client);
/// A condition whose times are of the monotonic clock.
void driver_init_condition(pthread_cond_t *condition);
void driver_stop_io(qubus_client *client);

// -------------------------------------------------------------------------------------- call.c

int32_t call_create(
    qubus_client *client, call_kind kind, const method *method, uint64_t tag, qubus_call **out,
    qubus_error *error);
void call_init(qubus_call *call, qubus_client *client, call_kind kind, const method *method);
/// Frees what the call holds, not the call.
void call_clear(qubus_call *call);
void call_retain(qubus_call *call);
void call_release(qubus_call *call);
/// Opens the call: gives it an id and sends it when possible.
int32_t call_begin(qubus_call *call, monotonic deadline, qubus_error *error);
/// Under the mutex: takes the call off the lists; tells the server when it still works on it.
void call_abandon(qubus_call *call);
/// Under the mutex: ends the call with an outcome of this side.
__attribute__((format(printf, 3, 4))) void call_fail(
    qubus_call *call, int32_t code, const char *format, ...);
/// Under the mutex: ends the call; announces and wakes.
void call_finish(qubus_call *call, int32_t outcome);
/// Under the mutex: forgets what the server sent so far.
void call_drop_replies(qubus_call *call);
/// Under the mutex: sends the call once more, with its present request, under a new id.
void call_restart(qubus_call *call);
qubus_call *call_find(qubus_client *client, uint64_t id);
void call_announce(qubus_call *call);
int32_t call_wait_done(qubus_call *call, monotonic deadline, qubus_error *error);
/// Fills `error` with the outcome of an ended call and returns its code.
int32_t call_outcome(qubus_call *call, qubus_error *error);
/// Decodes the FINAL's body of an ended call.
int32_t call_decode(
    qubus_call *call, qubus_arena *arena, ProtobufCMessage **out, qubus_error *error);
/// Begin, wait, outcome. Consumes `call` unless it returns OK.
int32_t call_run(qubus_call *call, int64_t timeout, qubus_error *error);
int32_t call_is_over(const void *call);

extern const method method_hello, method_submit, method_submit_batch, method_plan, method_watch,
    method_get_result, method_get_job, method_cancel_job;
/// A method of `qubus_call_start` by its name on the wire; NULL when there is none.
const method *method_named(const char *name);

/// Under the mutex: lists the call under a new id; it waits for a connection from here on.
void call_enlist(qubus_call *call);

/// Makes the call of a method with one string in its request: a job id or a name.
int32_t call_create_for(
    qubus_client *client, const method *method, const ProtobufCMessage *request, uint64_t tag,
    qubus_call **out, qubus_error *error);

// ---------------------------------------------------------------------------- spec.c, job.c …

/// Packs SubmitRequest or PlanRequest. `key` replaces the key of `spec`.
int32_t spec_encode(
    const qubus_job_spec *spec, const char *key, int32_t is_plan, zmq_msg_t *out,
    qubus_error *error);
int32_t spec_encode_batch(
    const qubus_job_spec *specs, uint64_t count, zmq_msg_t *out, qubus_error *error);
/// A copy of the spec's key, or a fresh UUID.
char *spec_key(const qubus_job_spec *spec, qubus_error *error);

int32_t job_create(
    qubus_client *client, const char *id, int32_t is_duplicate, qubus_job **out,
    qubus_error *error);
/// A GetResult call that is not begun yet.
int32_t fetch_create(
    qubus_client *client, const char *job_id, int64_t wait_milliseconds, int32_t manifest_only,
    uint64_t tag, qubus_call **out, qubus_error *error);
/// Without the mutex: looks at what the server gave. Returns 1 when the call goes on (its request was
/// replaced), 0 when it is over with `*outcome`.
int32_t fetch_process(qubus_call *call, int32_t *outcome);
void fetch_free(struct fetch *fetch);
/// Under the mutex: takes a chunk in, grants credit.
void fetch_partial(qubus_call *call, reply *reply);

/// Decodes a GetResultResponse and makes room for what its manifest lists.
int32_t result_create(
    const void *data, size_t count, qubus_result **out, qubus_error *error);
const Qubus__V1__GetResultResponse *result_response(const qubus_result *result);
/// Checks a chunk against the manifest and copies it in. Returns 0 when it does not fit.
int32_t result_place(
    qubus_result *result, const Qubus__V1__ResultChunk *chunk, const attachment *data);
/// Number of chunks of an item, and whether one has arrived.
size_t result_chunk_count(const qubus_result *result, size_t item);
int32_t result_has_chunk(const qubus_result *result, size_t item, size_t chunk);
/// Status of the job that the response told; 0 when it did not.
int32_t result_job_status(const qubus_result *result);

int32_t stream_prepare(qubus_stream *stream, qubus_error *error);

#endif

/// Sessions, steps and optimizations inside of libqubus.
///
/// A session keeps its open steps in order. A step gets its sequence number when it is first sent.
/// One whose caller left without an answer (time-out, cancel, free) stays in the list as a ghost
/// with its number and its parameters, because the server may have evaluated it: the next step with
/// the same contents takes the ghost's number; before any other step the ghost is sent again, and
/// its answer dropped. After a lost connection the first step to be sent waits for ResumeSession,
/// whose answer puts the numbers right.
#ifndef QUBUS_SESSION_INTERNAL_H
#define QUBUS_SESSION_INTERNAL_H

#include "internal.h"

enum {
  session_id_bytes = 16,
  step_attachments_maximum = 8,
  step_window = 48,           ///< numbers in flight; the server takes 64
  step_ghosts_maximum = 32,
};

/// What a StepResponse tells.
typedef struct step_facts {
  uint64_t sequence;
  uint32_t arrays;        ///< QUBUS_STEP_*, and their order
  uint64_t shots_used;
  uint64_t device_nanoseconds;
  int32_t was_repeated;
  int32_t was_rebuilt;
  double norm_drift;
} step_facts;

typedef struct step {
  qubus_session *session;   ///< constant; counted when `holds_session`
  qubus_call *call;         ///< constant; holds this step
  struct step *next, *previous;
  uint64_t sequence;        ///< 0: not sent yet
  uint32_t outputs;
  uint64_t shots;
  double target_error;
  uint64_t rows;
  const double *parameters;
  size_t bytes;             ///< of the parameters
  uint32_t crc32c;          ///< of the parameters
  double *owned;            ///< the parameters, when they are a copy
  qubus_step *into;         ///< synchronous: where the answer goes
  int32_t holds_session;
  int32_t is_listed;
  int32_t is_ghost;
  int32_t is_answered;      ///< by the server: the number is settled
  int32_t is_guess;         ///< its number is that of a step which a former client may have sent
  int32_t was_refused;      ///< step_out_of_order, and the session is being resumed
  int32_t refusals;
  int32_t corruptions;
  step_facts facts;
} step;

struct qubus_session {
  atomic_int references;
  qubus_client *client;     ///< constant, counted
  char id[QUBUS_SESSION_ID_CAPACITY];             ///< constant
  uint8_t id_bytes[session_id_bytes];             ///< constant
  uint8_t secret[QUBUS_SESSION_SECRET_BYTES];     ///< constant; zeros when it was not told
  int32_t has_secret;       ///< constant
  uint64_t parameter_count, observable_count;     // constant
  char **parameter_names;   ///< constant
  uint32_t qubit_count, bit_count, outputs;       // constant

  qubus_session *next, *previous;   ///< of the client's
  int32_t is_detached, is_closed;
  int32_t is_usurped;       ///< another connection holds it: said to the caller, not healed
  int32_t is_superseded;    ///< the same client resumed it: another handle of ours steps it
  uint32_t held_on;         ///< number of the connection that holds it; 0: none
  uint64_t last_sequence;   ///< of the step answered last
  uint64_t next_sequence;   ///< that the next step gets
  int32_t has_guess;        ///< `next_sequence` may have been used by a former client
  int32_t is_suspect;       ///< a step failed or was left since the last answer
  int32_t was_rebuilt;      ///< to be told with the next answer
  step *first_step, *last_step;
  int32_t ghost_count;
  qubus_call resume;
  int32_t is_stepping;      ///< a thread uses `synchronous`
  qubus_call synchronous;
  step synchronous_step;
};

// --------------------------------------------------------------- session.c, session_resume.c …

extern const method method_open_session, method_step, method_resume_session, method_close_session,
    method_get_session, method_list_sessions, method_optimize, method_cancel_optimize;

/// The handle of what OpenSession or ResumeSession answered.
int32_t session_create(
    qubus_client *client, const Qubus__V1__Session *told, const uint8_t *secret,
    size_t secret_bytes, qubus_session **out, qubus_error *error);
/// NULL, fork and struct checks of every call on a session.
int32_t session_check(const qubus_session *session, qubus_error *error);
void session_retain(qubus_session *session);
void session_release(qubus_session *session);
/// Reads the 16 bytes of a UUID; 0 when it is none.
int32_t session_parse_id(const char *text, uint8_t out[session_id_bytes]);
/// Packs an OpenSessionRequest.
int32_t session_spec_encode(
    const qubus_session_spec *spec, const char *key, zmq_msg_t *out, qubus_error *error);

/// Under the mutex: tells the server that what is open here ends.
void session_close_all(qubus_client *client);
/// Under the mutex: whether the present connection holds the session; else begins to resume it.
int32_t session_is_ready(qubus_session *session);
/// Under the mutex: the call that resumes the session has ended.
void session_resumed(qubus_session *session);

// --------------------------------------------------------------------- step.c, step_order.c …

/// Checks a step of the caller and fills `out` from it, without the mutex.
int32_t step_read(
    qubus_session *session, const qubus_step *given, int32_t is_synchronous, step *out,
    qubus_error *error);
/// Under the mutex: puts the step in order and sends it when it may be sent.
int32_t step_begin(step *step, qubus_error *error);
/// Under the mutex: whether the step may be sent now.
int32_t step_is_due(step *step);
/// Under the mutex: numbers and sends the step. 0: the connection is gone.
int32_t step_send(step *step);
/// Under the mutex: the server answered; the answer lies in the call.
void step_answered(qubus_call *call, int32_t outcome);
/// Under the mutex: the call of a step is done; takes it out of order, or leaves a ghost.
void step_ended(qubus_call *call);
/// Under the mutex: sends what waits in the session, in order.
void step_send_waiting(qubus_session *session);
void step_unlist(step *step);
/// Under the mutex: forgets a ghost.
void step_drop_ghost(step *ghost);
void step_free(qubus_call *call);

/// An answer whose envelope was read without unpacking.
typedef struct scanned {
  uint64_t call_id;
  const uint8_t *instance;
  size_t instance_bytes;
  size_t attachment_count;
  attachment attachments[step_attachments_maximum];   ///< frames not initialised
} scanned;
/// Reads an envelope. 1 when it is a FINAL of success with nothing in it that is unknown here.
int32_t step_scan_envelope(const uint8_t *data, size_t count, scanned *out);
/// Reads a StepResponse; 0 when it is malformed.
int32_t step_scan_response(const uint8_t *data, size_t count, step_facts *out);
size_t step_put_envelope(const step *step, uint8_t *out);
size_t step_put_request(const step *step, uint8_t *out);
enum { step_envelope_capacity = 128 + token_maximum, step_request_capacity = 96 };

/// Under the mutex: takes in a message if it answers a synchronous step; 0 when it does not, and
/// then nothing was received.
int32_t step_receive(qubus_client *client, const uint8_t *data, size_t count, int32_t more);
/// Copies an answer to where the caller wants it. Returns NULL or what is wrong with the answer.
const char *step_place(step *step, attachment *attachments, size_t count, int32_t *is_corrupt);
/// What is wrong with an answer that came in the general way, or NULL.
const char *step_judge_reply(qubus_call *call, int32_t *is_corrupt);
/// Under the mutex: ends a step that was answered with success; a corrupt answer is asked for again.
void step_settle(qubus_call *call, const char *problem, int32_t is_corrupt);
/// Makes the result of an ended step that did not come synchronously.
int32_t step_result(qubus_call *call, qubus_result **out, qubus_error *error);

// ---------------------------------------------------------------------------------- result.c

/// One array of a result that did not come by a manifest.
typedef struct plain_array {
  const char *name;     ///< constant
  int32_t data_type;
  uint32_t rank;
  uint64_t shape[3];
  const void *data;     ///< copied
} plain_array;
/// A result of arrays; `told` goes out as its provenance.
int32_t result_of_arrays(
    const plain_array *arrays, size_t count, uint32_t bit_count, const ProtobufCMessage *told,
    qubus_result **out, qubus_error *error);

// ---------------------------------------------------------------------------- optimization.c …

/// Under the mutex: a batch of iterations came.
void optimization_heard(qubus_optimization *optimization, const reply *part);
/// Packs the request that goes on watching, when the id is known.
int32_t optimization_prepare(qubus_optimization *optimization);
qubus_session *optimization_session(const qubus_optimization *optimization);
/// Under the mutex: whether the request may be sent now.
int32_t optimization_is_due(qubus_optimization *optimization);

#endif

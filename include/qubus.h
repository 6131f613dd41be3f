/// Qubus client library, C11. One daemon, many tenants: submit circuits, watch them, fetch results.
///
/// Conventions, valid for every function unless it says otherwise
/// - Returns `int32_t`: `QUBUS_OK` (0) or a code of the error registry (`qubus_errors.h`), the same
///   number as on the wire. Details go into `error`, which may be NULL and belongs to the caller.
/// - Handles are opaque and thread-safe: any call from any thread at any time, except freeing a
///   handle that another thread is inside of. A child handle keeps its parent alive, so the order of
///   frees does not matter. `qubus_x_free(NULL)` and freeing a NULL handle are no-ops; a free sets
///   the caller's pointer to NULL.
/// - Strings are UTF-8 and end with NUL; input strings are copied; returned `const char *` belong to
///   the handle they came from.
/// - `timeout_milliseconds`: negative waits for ever, 0 only looks. A time-out gives
///   `QUBUS_E_DEADLINE_EXCEEDED` and changes nothing on the server: the durable job goes on.
/// - Out-parameters are set to NULL or 0 when the call fails.
/// - After `fork` in the child every handle answers `QUBUS_E_USED_AFTER_FORK`; open a new client.
/// - The library writes nothing to standard streams, installs no signal handler, never aborts.
#ifndef QUBUS_H
#define QUBUS_H

#include <stdint.h>

#include "qubus_errors.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(QUBUS_BUILD) && (defined(__GNUC__) || defined(__clang__))
#define QUBUS_API __attribute__((visibility("default")))
#else
#define QUBUS_API
#endif

#define QUBUS_VERSION_MAJOR 0
#define QUBUS_VERSION_MINOR 1
#define QUBUS_VERSION_PATCH 0
#define QUBUS_VERSION_STRING "0.1.0"
/// Raised when a struct or function changes incompatibly; `qubus_client_open` compares it.
#define QUBUS_ABI_VERSION 1

/// Marks an optional integer as not given.
#define QUBUS_UNSET INT64_MIN

typedef struct qubus_client qubus_client;
typedef struct qubus_call qubus_call;
typedef struct qubus_job qubus_job;
typedef struct qubus_stream qubus_stream;
typedef struct qubus_result qubus_result;
typedef struct qubus_text qubus_text;

// ---------------------------------------------------------------------------------- versions

/// Version of the library that is loaded, for example "0.1.0".
QUBUS_API const char *qubus_version(void);
/// ABI version of the library that is loaded; compare with `QUBUS_ABI_VERSION`.
QUBUS_API uint32_t qubus_abi_version(void);

// ------------------------------------------------------------------------------------ errors

/// What went wrong. Owned by the caller; filled by the failing call only.
typedef struct qubus_error {
  uint32_t struct_size;
  int32_t code;                       ///< registry number; 0 when there was no error
  int32_t retryable;                  ///< 1 when the same call may succeed later
  uint32_t grpc_status;               ///< gRPC status code
  int64_t retry_after_milliseconds;   ///< QUBUS_UNSET when unknown
  uint32_t line;                      ///< place in the program's source, from 1; 0 when there is none
  uint32_t column;                    ///< from 1, in Unicode scalars
  char name[64];                      ///< stable name, for example "invalid_shots"
  char error_class[32];               ///< validation, auth, quota, conflict, …
  char message[1024];                 ///< what was wrong, where, what the limit is
  char action[512];                   ///< what to do
  char trace_id[64];                  ///< also in the server's log; empty for client-side errors
  char text[128];                     ///< the offending text of the program
  char excerpt[512];                  ///< its source line and a caret line
  char details_json[2048];            ///< {"violations":[{field,explanation,limit}],"details":{…}}
  char reserved[256];
} qubus_error;
#define QUBUS_ERROR_INIT {(uint32_t)sizeof(qubus_error), 0, 0, 0, QUBUS_UNSET, 0, 0, "", "", "", "", "", "", "", "", ""}

/// Stable name of a registry code, or "unknown". Never NULL.
QUBUS_API const char *qubus_error_name(int32_t code);
/// What to do about a registry code. Never NULL.
QUBUS_API const char *qubus_error_action(int32_t code);

// ------------------------------------------------------------------------------------- texts

/// A text owned by its handle; NULL handle gives "".
QUBUS_API const char *qubus_text_data(const qubus_text *text);
/// Bytes without the final NUL.
QUBUS_API uint64_t qubus_text_bytes(const qubus_text *text);
QUBUS_API void qubus_text_free(qubus_text **text);

// ------------------------------------------------------------------------------------ client

typedef struct qubus_client_options {
  uint32_t struct_size;
  uint32_t abi_version;
  const char *endpoint;               ///< NULL: QUBUS_ENDPOINT, then the default sockets (see README)
  const char *client_name;            ///< NULL: "libqubus"; shown in provenance
  int64_t connect_timeout_milliseconds;   ///< QUBUS_UNSET: 5,000
  int64_t call_timeout_milliseconds;  ///< for calls without a time-out of their own; QUBUS_UNSET: 30,000
  int64_t reconnect_minimum_milliseconds; ///< first back-off; QUBUS_UNSET: 20
  int64_t reconnect_maximum_milliseconds; ///< QUBUS_UNSET: 5,000, for ipc 500
  int64_t stream_credit_bytes;        ///< window of each stream; QUBUS_UNSET: 1 MiB
  int64_t submit_retries;             ///< resends of a submit after a lost connection; QUBUS_UNSET: 5
  int64_t spin_microseconds;          ///< a waiting call looks this long before it sleeps, while that pays; 1 to 10,000; 0 or QUBUS_UNSET: 200
  const char *server_key;             ///< of curve://: the server's public key, 40 Z85 characters or the path of a file with them; NULL: QUBUS_SERVER_KEY
  const char *key_file;               ///< of curve://: this client's key pair, see `qubus_key_generate`; NULL: QUBUS_KEY_FILE
  const char *secret_key;             ///< of curve://, in place of `key_file`: the secret key's 40 Z85 characters
  const char *token;                  ///< bearer token that goes with every call; NULL: QUBUS_TOKEN
  void *reserved[3];
} qubus_client_options;
#define QUBUS_CLIENT_OPTIONS_INIT \
  {(uint32_t)sizeof(qubus_client_options), QUBUS_ABI_VERSION, 0, 0, QUBUS_UNSET, QUBUS_UNSET, \
   QUBUS_UNSET, QUBUS_UNSET, QUBUS_UNSET, QUBUS_UNSET, QUBUS_UNSET, 0, 0, 0, 0, {0}}

/// Connects and exchanges HELLO. `options` may be NULL. Blocks up to the connect time-out; a
/// handshake that the server refuses ends it at once.
///
/// Endpoints: `ipc://PATH`; `tcp://HOST:PORT` on this machine only; `curve://HOST:PORT`, encrypted,
/// anywhere: it needs the server's public key and a key of this client that the server knows. The
/// environment's keys are for curve:// and left alone elsewhere. Secrets are wiped from memory with
/// the client and never told in errors.
/// Codes: connection_failed, unauthenticated (the server does not know the key), invalid_key (names
/// the file, its mode or its line), unsupported_protocol_version, abi_mismatch, invalid_argument.
QUBUS_API int32_t qubus_client_open(const qubus_client_options *options, qubus_client **out, qubus_error *error);
/// Closes: pending calls end with client_closed. Children stay valid and answer client_closed.
QUBUS_API int32_t qubus_client_close(qubus_client *client);
QUBUS_API void qubus_client_free(qubus_client **client);
QUBUS_API const char *qubus_client_endpoint(const qubus_client *client);
/// Replaces the token of every call that is sent from here on; NULL or "": calls go without one. A
/// token that expires fails its calls with token_expired and leaves the connection as it is.
QUBUS_API int32_t qubus_client_set_token(qubus_client *client, const char *token, qubus_error *error);
/// A descriptor that is readable while completions wait; for poll, epoll, asyncio. Never read from
/// it: call `qubus_client_next_completion` until it says QUBUS_E_END_OF_STREAM. -1 on error.
QUBUS_API int32_t qubus_client_descriptor(qubus_client *client, qubus_error *error);
/// Takes one completion: the tag of a call that ended or of a stream that has an event (or its end).
/// A tag of a stream comes once until the stream was read empty. Never blocks.
/// Codes: end_of_stream when none waits.
QUBUS_API int32_t qubus_client_next_completion(qubus_client *client, uint64_t *tag, qubus_error *error);

// -------------------------------------------------------------------------------------- keys

/// Bytes of a CURVE key as text: 40 Z85 characters and a NUL.
#define QUBUS_KEY_CAPACITY 41
/// Makes a CURVE key pair and writes it to a new file at `path` with mode 0600, to be used as
/// `key_file`. `public_key`: room for QUBUS_KEY_CAPACITY bytes; the public half, for whoever adds it
/// to the server. Codes: invalid_argument when the file exists or cannot be written.
QUBUS_API int32_t qubus_key_generate(const char *path, char *public_key, qubus_error *error);

// ------------------------------------------------------------------------- job specification

/// Values of one input parameter of the program.
typedef struct qubus_parameter {
  uint32_t struct_size;
  uint32_t rank;                      ///< 0: a scalar
  const char *name;
  const uint64_t *shape;              ///< `rank` numbers
  const double *values;               ///< row-major, product of `shape` numbers
} qubus_parameter;
#define QUBUS_PARAMETER_INIT {(uint32_t)sizeof(qubus_parameter), 0, 0, 0, 0}

/// One term: the leftmost letter acts on the highest qubit.
typedef struct qubus_pauli_term {
  const char *pauli;
  double coefficient;
} qubus_pauli_term;

typedef struct qubus_observable {
  uint32_t struct_size;
  uint32_t term_count;
  const qubus_pauli_term *terms;
} qubus_observable;
#define QUBUS_OBSERVABLE_INIT {(uint32_t)sizeof(qubus_observable), 0, 0}

#define QUBUS_OUTPUT_COUNTS 1u
#define QUBUS_OUTPUT_MEMORY 2u
#define QUBUS_OUTPUT_PROBABILITIES 4u
#define QUBUS_OUTPUT_STATEVECTOR 8u
#define QUBUS_OUTPUT_EXPECTATION_VALUES 16u

/// Publication unit: one program with parameters and observables that broadcast (NumPy rules).
typedef struct qubus_pub {
  uint32_t struct_size;
  uint32_t outputs;                   ///< QUBUS_OUTPUT_* or-ed; 0: by what is asked for
  const char *program;                ///< OpenQASM 2 or 3 source
  uint64_t program_bytes;             ///< 0: up to the NUL
  const qubus_parameter *parameters;
  uint64_t parameter_count;
  const qubus_observable *observables;
  uint64_t observable_count;
  const uint64_t *observables_shape;  ///< NULL: a vector (a scalar when there is one)
  uint64_t observables_rank;
  int64_t shots;                      ///< QUBUS_UNSET: none; the server judges every other number
  double target_precision;            ///< NaN or 0: unset
} qubus_pub;
#define QUBUS_PUB_INIT {(uint32_t)sizeof(qubus_pub), 0, 0, 0, 0, 0, 0, 0, 0, 0, QUBUS_UNSET, 0.0}

#define QUBUS_PRIORITY_AUTOMATIC 0
#define QUBUS_PRIORITY_INTERACTIVE 1
#define QUBUS_PRIORITY_BATCH 2

/// What to run and how. Strings may be NULL. Doubles: 0 is unset where marked (0).
typedef struct qubus_job_spec {
  uint32_t struct_size;
  int32_t priority_class;             ///< QUBUS_PRIORITY_*
  const qubus_pub *pubs;
  uint64_t pub_count;
  const char *idempotency_key;        ///< NULL: drawn by the library, so that a submit can be retried
  const char *client_job_id;
  const char *device;
  const char *device_family;
  const char *device_policy;          ///< cheapest, fastest, best_fidelity
  int32_t allow_simulator_fallback;
  int32_t has_seed;                   ///< 1: `seed` counts
  uint64_t seed;
  double max_error;                   ///< (0)
  double deadline_seconds;            ///< (0)
  double ttl_seconds;                 ///< (0)
  double expected_seconds;            ///< (0)
  double max_run_seconds;             ///< (0)
  int64_t max_cost;                   ///< micro-units; QUBUS_UNSET
  const char *precision;              ///< double (default) or single
  const char *experiment_id;
  const char *name;
  const char *const *tags;
  uint64_t tag_count;
  const char *experiment_class;
  const char *citation;
  const char *const *after;           ///< ids of jobs that have to end first, in whatever way
  uint64_t after_count;
  const char *const *after_ok;        ///< ids of jobs that have to succeed first; if one does not, this one is canceled (dependency_failed)
  uint64_t after_ok_count;
  void *reserved[4];
} qubus_job_spec;
#define QUBUS_JOB_SPEC_INIT \
  {(uint32_t)sizeof(qubus_job_spec), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, \
   QUBUS_UNSET, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, {0}}

// --------------------------------------------------------------------------------- job status

#define QUBUS_JOB_ACCEPTED 1
#define QUBUS_JOB_QUEUED 2
#define QUBUS_JOB_RESERVED 3
#define QUBUS_JOB_RUNNING 4
#define QUBUS_JOB_PROCESSING_RESULTS 5
#define QUBUS_JOB_SUCCEEDED 6
#define QUBUS_JOB_FAILED 7
#define QUBUS_JOB_CANCELED 8
#define QUBUS_JOB_EXPIRED 9

/// The lifecycle's word, for example "queued"; "unknown" for another number.
QUBUS_API const char *qubus_job_status_name(int32_t status);
/// 1 for succeeded, failed, canceled and expired.
QUBUS_API int32_t qubus_job_status_is_terminal(int32_t status);

// ------------------------------------------------------------------------- calls (pipelining)

/// Every request can be started without waiting. A call ends exactly once; its `tag` then comes out
/// of `qubus_client_next_completion` (tag 0 is never announced). Free a call to abandon it: the
/// server is told to stop working on it, a submitted job stays.
QUBUS_API int32_t qubus_job_submit_start(qubus_client *client, const qubus_job_spec *spec, uint64_t tag, qubus_call **out, qubus_error *error);
/// Dry run: validity, memory, time, lane. Ends with a text (PlanResponse).
QUBUS_API int32_t qubus_job_plan_start(qubus_client *client, const qubus_job_spec *spec, uint64_t tag, qubus_call **out, qubus_error *error);

#define QUBUS_METHOD_GET_JOB 1        ///< subject: job id → text
#define QUBUS_METHOD_LIST_JOBS 2      ///< arguments: statuses (comma), page_size, page_token, tags (comma), name, batch_id → text
#define QUBUS_METHOD_CANCEL_JOB 3     ///< subject: job id; arguments: reason → text
#define QUBUS_METHOD_ANNOTATE_JOB 4   ///< subject: job id; arguments: the annotations → text
#define QUBUS_METHOD_REPLAY_JOB 5     ///< subject: job id; arguments: wait_milliseconds, replay_job_id → text
#define QUBUS_METHOD_LIST_DEVICES 6   ///< → text
#define QUBUS_METHOD_GET_DEVICE 7     ///< subject: device name → text
#define QUBUS_METHOD_HEALTH 8         ///< → text
#define QUBUS_METHOD_VERSION 9        ///< → text
#define QUBUS_METHOD_ERROR_CATALOGUE 10 ///< → text
#define QUBUS_METHOD_HELLO 11         ///< → text: versions, features, limits, principal

typedef struct qubus_argument {
  const char *name;
  const char *value;
} qubus_argument;

/// Starts any other method. The response comes as JSON with the field names of `proto/`.
/// `timeout_milliseconds` QUBUS_UNSET: the client's. Codes: invalid_argument names the argument.
QUBUS_API int32_t qubus_call_start(qubus_client *client, int32_t method, const char *subject, const qubus_argument *arguments, uint64_t argument_count, int64_t timeout_milliseconds, uint64_t tag, qubus_call **out, qubus_error *error);
/// Starts fetching a result, waiting on the server up to `wait_milliseconds` for the job's end.
/// `manifest_only`: no data. Chunks are checked against their SHA-256.
QUBUS_API int32_t qubus_job_result_start(qubus_job *job, int64_t wait_milliseconds, int32_t manifest_only, uint64_t tag, qubus_call **out, qubus_error *error);

/// Waits for the end of the call; returns the call's own outcome code. The call may be waited for
/// again. Codes: deadline_exceeded when the wait timed out or the call itself did.
QUBUS_API int32_t qubus_call_wait(qubus_call *call, int64_t timeout_milliseconds, qubus_error *error);
/// 1 when the call has ended.
QUBUS_API int32_t qubus_call_is_done(qubus_call *call);
/// Asks for the call's end (`call_canceled`); from any thread.
QUBUS_API int32_t qubus_call_cancel(qubus_call *call);
/// Takes what an ended call gave; once. invalid_argument when it gives something else.
QUBUS_API int32_t qubus_call_take_job(qubus_call *call, qubus_job **out, qubus_error *error);
QUBUS_API int32_t qubus_call_take_text(qubus_call *call, qubus_text **out, qubus_error *error);
QUBUS_API int32_t qubus_call_take_result(qubus_call *call, qubus_result **out, qubus_error *error);
/// The idempotency key of a submit, readable also after it failed; else "".
QUBUS_API const char *qubus_call_idempotency_key(const qubus_call *call);
QUBUS_API void qubus_call_free(qubus_call **call);

/// Starts any method of `proto/` that sends one message and gets one, by its name, for example
/// "CreateTenant". `request_json`: the request's fields as a JSON object with the names of `proto/`,
/// NULL: none; enumerations by name ("operator"), bytes in hex, as answers have them; 64-bit integers
/// as numbers or as strings. Ends with a text, the answer's JSON.
/// Codes: invalid_argument names the field by its path; nothing was sent then.
QUBUS_API int32_t qubus_call_json_start(qubus_client *client, const char *method, const char *request_json, int64_t timeout_milliseconds, uint64_t tag, qubus_call **out, qubus_error *error);
/// The same in one blocking call.
QUBUS_API int32_t qubus_client_call_json(qubus_client *client, const char *method, const char *request_json, int64_t timeout_milliseconds, qubus_text **out, qubus_error *error);
/// Start, wait, take the text: any method of `qubus_call_start` in one blocking call.
QUBUS_API int32_t qubus_client_request(qubus_client *client, int32_t method, const char *subject, const qubus_argument *arguments, uint64_t argument_count, int64_t timeout_milliseconds, qubus_text **out, qubus_error *error);
/// Dry run in one blocking call.
QUBUS_API int32_t qubus_client_plan(qubus_client *client, const qubus_job_spec *spec, int64_t timeout_milliseconds, qubus_text **out, qubus_error *error);
/// Round trip to the server. No allocation beyond the first call of a thread.
QUBUS_API int32_t qubus_client_ping(qubus_client *client, int64_t timeout_milliseconds, qubus_error *error);

// -------------------------------------------------------------------------------------- jobs

/// Submits and waits for the durable acknowledgement, not for execution. After a lost connection
/// the submit is sent again under its idempotency key, so it never makes two jobs.
/// `key_out` (may be NULL, `key_capacity` ≥ 64) receives the key, also on failure.
QUBUS_API int32_t qubus_job_submit(qubus_client *client, const qubus_job_spec *spec, int64_t timeout_milliseconds, char *key_out, uint64_t key_capacity, qubus_job **out, qubus_error *error);
/// Submits many in one message. `out` and `errors` hold `count` entries; an entry that failed is NULL
/// and its error says why (`errors` may be NULL). Returns OK when the batch itself was answered.
/// Jobs that one call made have the same batch_id, by which CancelBatch cancels all of them.
QUBUS_API int32_t qubus_job_submit_batch(qubus_client *client, const qubus_job_spec *specs, uint64_t count, int64_t timeout_milliseconds, qubus_job **out, qubus_error *errors, qubus_error *error);
/// A handle on a job by its id. Does not ask the server.
QUBUS_API int32_t qubus_job_attach(qubus_client *client, const char *job_id, qubus_job **out, qubus_error *error);
QUBUS_API const char *qubus_job_id(const qubus_job *job);
/// 1 when the submit found the job by its idempotency key.
QUBUS_API int32_t qubus_job_is_duplicate(const qubus_job *job);
QUBUS_API int32_t qubus_job_status(qubus_job *job, int64_t timeout_milliseconds, int32_t *status, qubus_error *error);
/// The whole job as JSON (message Job).
QUBUS_API int32_t qubus_job_describe(qubus_job *job, int64_t timeout_milliseconds, qubus_text **out, qubus_error *error);
/// Waits for a terminal status. Survives reconnects and restarts of the daemon.
QUBUS_API int32_t qubus_job_wait(qubus_job *job, int64_t timeout_milliseconds, int32_t *status, qubus_error *error);
/// Waits for the end and fetches everything. A failed job gives its own error; a canceled one its
/// partial result when it has one, else execution_canceled.
QUBUS_API int32_t qubus_job_result(qubus_job *job, int64_t timeout_milliseconds, qubus_result **out, qubus_error *error);

#define QUBUS_CANCEL_BEFORE_START 1
#define QUBUS_CANCEL_DURING_RUN 2
#define QUBUS_CANCEL_TOO_LATE 3
/// Cancels; idempotent. `outcome` and `shots_done` may be NULL; `reason` may be NULL.
QUBUS_API int32_t qubus_job_cancel(qubus_job *job, const char *reason, int64_t timeout_milliseconds, int32_t *outcome, uint64_t *shots_done, qubus_error *error);
QUBUS_API void qubus_job_free(qubus_job **job);

// ------------------------------------------------------------------------------------ events

/// Opens the job's event stream after a sequence number (0: from the start). Ordered, no gap, no
/// double, also over reconnects and restarts of the daemon. Does not block.
QUBUS_API int32_t qubus_stream_open(qubus_job *job, uint64_t after_sequence, uint64_t tag, qubus_stream **out, qubus_error *error);

/// An event; the pointers stay valid until the next call on the stream.
typedef struct qubus_event {
  uint32_t struct_size;
  int32_t status;                     ///< the job's status after the event
  uint64_t sequence;                  ///< 1, 2, 3, … within the job
  int64_t time_microseconds;          ///< UTC
  uint32_t attempt;
  uint32_t reserved;
  const char *type;                   ///< for example "status.changed"
  const char *reason;
  const char *json;                   ///< the whole event (message JobEvent)
  uint64_t json_bytes;
} qubus_event;
#define QUBUS_EVENT_INIT {(uint32_t)sizeof(qubus_event), 0, 0, 0, 0, 0, 0, 0, 0, 0}

/// Codes: end_of_stream after the terminal event; deadline_exceeded; errors of the stream.
QUBUS_API int32_t qubus_stream_next(qubus_stream *stream, int64_t timeout_milliseconds, qubus_event *event, qubus_error *error);
/// Ends the stream at the server; a waiting `next` returns call_canceled.
QUBUS_API int32_t qubus_stream_cancel(qubus_stream *stream);
QUBUS_API void qubus_stream_free(qubus_stream **stream);

// ----------------------------------------------------------------------------------- results

#define QUBUS_TYPE_UINT8 1
#define QUBUS_TYPE_UINT64 2
#define QUBUS_TYPE_INT64 3
#define QUBUS_TYPE_FLOAT64 4
#define QUBUS_TYPE_COMPLEX128 5
#define QUBUS_RANK_MAXIMUM 16

/// A named array of a result: contiguous, row-major, owned by the result handle, 16-byte aligned.
typedef struct qubus_array {
  uint32_t struct_size;
  int32_t data_type;                  ///< QUBUS_TYPE_*
  uint32_t pub;
  uint32_t rank;
  uint64_t shape[QUBUS_RANK_MAXIMUM];
  const void *data;
  uint64_t bytes;
  const char *name;                   ///< counts.keys, counts.values, counts.offsets, memory, …
} qubus_array;
#define QUBUS_ARRAY_INIT {(uint32_t)sizeof(qubus_array), 0, 0, 0, {0}, 0, 0, 0}

QUBUS_API uint64_t qubus_result_array_count(const qubus_result *result);
/// Codes: invalid_argument for an index out of range.
QUBUS_API int32_t qubus_result_array(const qubus_result *result, uint64_t index, qubus_array *out, qubus_error *error);
/// Codes: unknown_result_item.
QUBUS_API int32_t qubus_result_find(const qubus_result *result, uint32_t pub, const char *name, qubus_array *out, qubus_error *error);
/// 1 when the job was canceled and this is what it had.
QUBUS_API int32_t qubus_result_is_partial(const qubus_result *result);
/// Distinct outcomes of one row (row-major index of the broadcast parameters).
QUBUS_API int32_t qubus_result_counts_size(const qubus_result *result, uint32_t pub, uint64_t row, uint64_t *entries, uint32_t *bit_count, qubus_error *error);
/// One outcome; `bits` receives `bit_count` characters and a NUL, highest classical bit leftmost.
QUBUS_API int32_t qubus_result_counts_entry(const qubus_result *result, uint32_t pub, uint64_t row, uint64_t index, char *bits, uint64_t capacity, uint64_t *count, qubus_error *error);
/// JSON of messages ResultManifest, Provenance and Job. Owned by the result.
QUBUS_API const char *qubus_result_manifest_json(const qubus_result *result);
QUBUS_API const char *qubus_result_provenance_json(const qubus_result *result);
QUBUS_API const char *qubus_result_job_json(const qubus_result *result);
QUBUS_API void qubus_result_free(qubus_result **result);

#ifdef __cplusplus
}
#endif

#include "qubus_session.h"

#endif

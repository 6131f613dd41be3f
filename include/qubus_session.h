/// Sessions of the Qubus client library: a program compiled once, resident in the daemon, evaluated
/// by steps. Included by qubus.h, whose conventions hold.
#ifndef QUBUS_SESSION_H
#define QUBUS_SESSION_H

#include "qubus.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct qubus_session qubus_session;
typedef struct qubus_optimization qubus_optimization;

// ---------------------------------------------------------------------------------- sessions

#define QUBUS_STEP_VALUES 1u
#define QUBUS_STEP_GRADIENTS 2u
#define QUBUS_STEP_COUNTS 4u
#define QUBUS_STEP_STATEVECTOR 8u
/// In answers only: comes with sampled values by itself.
#define QUBUS_STEP_STANDARD_ERRORS 16u

#define QUBUS_SESSION_SECRET_BYTES 32
#define QUBUS_SESSION_ID_CAPACITY 40

/// What to open. Strings may be NULL. Doubles: NaN is unset; integers: QUBUS_UNSET.
typedef struct qubus_session_spec {
  uint32_t struct_size;
  uint32_t outputs;                   ///< QUBUS_STEP_* that steps may ask for; 0: values and gradients with observables, else counts
  const char *program;                ///< OpenQASM 2 or 3 source; its inputs, in order, are the parameters
  uint64_t program_bytes;             ///< 0: up to the NUL
  const qubus_observable *observables;
  uint64_t observable_count;
  int64_t shots;                      ///< of each step; QUBUS_UNSET: exact
  double target_error;                ///< standard error at which a step stops; NaN: take all shots
  int32_t shares_random_numbers;      ///< 1: every step draws the same random numbers
  int32_t has_seed;                   ///< 1: `seed` counts
  uint64_t seed;
  const char *precision;              ///< double (default) or single
  const char *device;
  double idle_seconds;                ///< NaN: the server's default; 0 and less are refused
  double wall_seconds;
  double max_device_seconds;
  int64_t max_steps;
  int64_t memory_bytes;
  const char *name;
  const char *const *tags;
  uint64_t tag_count;
  const char *idempotency_key;        ///< NULL: drawn by the library
  void *reserved[8];
} qubus_session_spec;
#define QUBUS_SESSION_SPEC_INIT \
  {(uint32_t)sizeof(qubus_session_spec), 0, 0, 0, 0, 0, QUBUS_UNSET, __builtin_nan(""), 0, 0, 0, 0, \
   0, __builtin_nan(""), __builtin_nan(""), __builtin_nan(""), QUBUS_UNSET, QUBUS_UNSET, 0, 0, 0, 0, \
   {0}}

/// Compiles the program and keeps its plan in the daemon.
/// Codes: those of a submit; too_many_sessions, quota_exceeded, insufficient_memory.
QUBUS_API int32_t qubus_session_open(qubus_client *client, const qubus_session_spec *spec, int64_t timeout_milliseconds, qubus_session **out, qubus_error *error);
/// Takes a session over, from another process or after a restart of this one.
/// `last_sequence`: of the last step that was answered here; 0 when unknown.
/// Codes: session_not_found (also for a wrong secret), session_limit_exceeded.
QUBUS_API int32_t qubus_session_resume(qubus_client *client, const char *session_id, const uint8_t *secret, uint64_t last_sequence, int64_t timeout_milliseconds, qubus_session **out, qubus_error *error);
/// Ends the session at the server; idempotent. Steps after it answer session_not_found.
QUBUS_API int32_t qubus_session_close(qubus_session *session, int64_t timeout_milliseconds, qubus_error *error);
/// Closes the session at the server if it is still open, without waiting, and frees the handle; so
/// does `qubus_client_close`. Calls and optimizations of the session keep it open until they are
/// freed. Without a connection at that moment the session ends by its idle time.
/// To leave the session open for a later resume, use `qubus_session_detach` first.
QUBUS_API void qubus_session_free(qubus_session **session);
/// From here on freeing the handle leaves the session open.
QUBUS_API int32_t qubus_session_detach(qubus_session *session);

QUBUS_API const char *qubus_session_id(const qubus_session *session);
/// QUBUS_SESSION_SECRET_BYTES bytes: whoever has them can take the session over. Zeros when the
/// server did not tell it: for an open that was repeated under a key of the caller's, after the
/// first answer was lost. Such a session goes on until the connection breaks.
QUBUS_API const uint8_t *qubus_session_secret(const qubus_session *session);
QUBUS_API uint64_t qubus_session_parameter_count(const qubus_session *session);
/// "" for an index out of range.
QUBUS_API const char *qubus_session_parameter_name(const qubus_session *session, uint64_t index);
QUBUS_API uint64_t qubus_session_observable_count(const qubus_session *session);
QUBUS_API uint32_t qubus_session_qubit_count(const qubus_session *session);
QUBUS_API uint32_t qubus_session_bit_count(const qubus_session *session);
/// QUBUS_STEP_* that steps may ask for.
QUBUS_API uint32_t qubus_session_outputs(const qubus_session *session);
/// Of the step answered last; 0 before the first.
QUBUS_API uint64_t qubus_session_last_sequence(const qubus_session *session);
/// Asks the server; the session as JSON (message Session).
QUBUS_API int32_t qubus_session_describe(qubus_session *session, int64_t timeout_milliseconds, qubus_text **out, qubus_error *error);
/// The principal's sessions as JSON (message ListSessionsResponse).
QUBUS_API int32_t qubus_client_sessions(qubus_client *client, int32_t include_ended, int64_t timeout_milliseconds, qubus_text **out, qubus_error *error);

/// One evaluation. The caller owns the arrays; what has no room is refused, nothing is truncated.
typedef struct qubus_step {
  uint32_t struct_size;
  uint32_t outputs;                   ///< QUBUS_STEP_VALUES and/or GRADIENTS; 0: values
  const double *parameters;           ///< rows × parameter count, row-major
  uint64_t rows;                      ///< 1 or more
  double *values;                     ///< rows × observables
  uint64_t values_capacity;           ///< numbers
  double *gradients;                  ///< rows × observables × parameters
  uint64_t gradients_capacity;
  double *standard_errors;            ///< rows × observables, NaN when exact; may be NULL
  uint64_t standard_errors_capacity;
  uint64_t shots;                     ///< 0: the session's
  double target_error;                ///< 0: the session's
  // set by the call
  uint64_t sequence;
  uint64_t shots_used;
  uint64_t device_nanoseconds;
  int32_t was_repeated;               ///< 1: the server had answered it before a lost connection
  int32_t was_rebuilt;                ///< 1: the plan had been dropped, or the daemon restarted
  double norm_drift;
  void *reserved[4];
} qubus_step;
#define QUBUS_STEP_INIT \
  {(uint32_t)sizeof(qubus_step), 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0.0, 0, 0, 0, 0, 0, 0.0, {0}}

/// Sends the numbers and waits for the answer; allocates nothing after the first step of its shape.
/// Steps of one session are ordered; a second thread waits its turn. After a lost connection the
/// step is sent again under its number: it is evaluated and charged once. After a time-out
/// (deadline_exceeded) the same call may be made again and goes on with the same step if its
/// parameters are the same. If they are not, the step without an answer is sent once more before the
/// new one, and its answer dropped: its number was given away, and the server may be working on it.
/// Codes: parameter_count_mismatch, invalid_parameter_value (NaN, infinities), invalid_step,
/// buffer_too_small, session_not_found, session_held_elsewhere, session_busy,
/// session_limit_exceeded, execution errors.
QUBUS_API int32_t qubus_session_step(qubus_session *session, qubus_step *step, int64_t timeout_milliseconds, qubus_error *error);
/// Starts a step with any outputs; the call gives a result (`qubus_call_take_result`) whose arrays
/// `qubus_result_find(result, 0, name)` tells: values, standard_errors, gradients, counts.offsets,
/// counts.keys, counts.values, statevector; counts also by `qubus_result_counts_*`, a row each; what
/// a synchronous step sets besides comes as JSON by `qubus_result_provenance_json` (message
/// StepResponse). Of `step` only the inputs are read; they are copied. Steps that are started before
/// others have ended keep their order. The call's time-out is the client's.
QUBUS_API int32_t qubus_session_step_start(qubus_session *session, const qubus_step *step, uint64_t tag, qubus_call **out, qubus_error *error);

// ----------------------------------------------------------------------------- optimizations

typedef struct qubus_option {
  const char *name;
  double value;
} qubus_option;

/// Minimizes an observable in the daemon. Doubles: NaN is unset; integers: QUBUS_UNSET.
typedef struct qubus_optimization_spec {
  uint32_t struct_size;
  uint32_t observable;                ///< index of the objective
  const char *method;                 ///< spsa, adam, lbfgs, nelder_mead, rotosolve
  const double *initial;              ///< parameter count
  const double *lower;                ///< NULL: no bounds; else both, infinities allowed
  const double *upper;
  const qubus_option *options;
  uint64_t option_count;
  int64_t max_iterations;
  int64_t max_evaluations;
  int64_t max_shots;
  int64_t max_cost;                   ///< micro-units
  double max_seconds;
  double max_device_seconds;
  uint64_t shots;                     ///< of each evaluation; 0: the session's
  double target_error;
  uint64_t seed;
  int32_t has_seed;
  int32_t reserved0;
  void *reserved[8];
} qubus_optimization_spec;
#define QUBUS_OPTIMIZATION_SPEC_INIT \
  {(uint32_t)sizeof(qubus_optimization_spec), 0, 0, 0, 0, 0, 0, 0, QUBUS_UNSET, QUBUS_UNSET, \
   QUBUS_UNSET, QUBUS_UNSET, __builtin_nan(""), __builtin_nan(""), 0, 0.0, 0, 0, 0, {0}}

/// Starts an optimization; iterations then come by `qubus_optimization_next`.
QUBUS_API int32_t qubus_optimization_start(qubus_session *session, const qubus_optimization_spec *spec, uint64_t tag, qubus_optimization **out, qubus_error *error);
/// Watches one that was started before; iterations up to `after_iteration` are not told.
QUBUS_API int32_t qubus_optimization_attach(qubus_session *session, const char *optimization_id, uint64_t after_iteration, uint64_t tag, qubus_optimization **out, qubus_error *error);
/// "" until the server has told it.
QUBUS_API const char *qubus_optimization_id(qubus_optimization *optimization);

typedef struct qubus_iteration {
  uint32_t struct_size;
  uint32_t parameter_count;
  uint64_t number;                    ///< 1, 2, 3, …
  double value;
  double gradient_norm;               ///< NaN for methods without one
  const double *parameters;           ///< valid until the next call on the optimization
  uint64_t evaluations;               ///< so far, at the end of the batch that it came with
  uint64_t shots_used;
  int64_t device_microseconds;
} qubus_iteration;
#define QUBUS_ITERATION_INIT {(uint32_t)sizeof(qubus_iteration), 0, 0, 0.0, 0.0, 0, 0, 0, 0}

/// Codes: end_of_stream after the last iteration; errors of the optimization.
QUBUS_API int32_t qubus_optimization_next(qubus_optimization *optimization, int64_t timeout_milliseconds, qubus_iteration *iteration, qubus_error *error);

typedef struct qubus_optimum {
  uint32_t struct_size;
  uint32_t parameter_count;
  const double *best;                 ///< owned by the optimization
  const double *last;
  double best_value;
  double last_value;
  uint64_t iterations;
  uint64_t evaluations;
  uint64_t shots_used;
  int64_t device_microseconds;
  const char *ending;                 ///< converged, stalled, max_iterations, …, canceled
} qubus_optimum;
#define QUBUS_OPTIMUM_INIT {(uint32_t)sizeof(qubus_optimum), 0, 0, 0, 0.0, 0.0, 0, 0, 0, 0, 0}

/// Waits for the end; iterations that were not read are skipped.
QUBUS_API int32_t qubus_optimization_result(qubus_optimization *optimization, int64_t timeout_milliseconds, qubus_optimum *optimum, qubus_error *error);
/// Stops it at the server; `result` then tells the best so far. `was_running` may be NULL.
QUBUS_API int32_t qubus_optimization_cancel(qubus_optimization *optimization, int64_t timeout_milliseconds, int32_t *was_running, qubus_error *error);
/// Stops watching; the optimization goes on unless it was canceled.
QUBUS_API void qubus_optimization_free(qubus_optimization **optimization);

#ifdef __cplusplus
}
#endif

#endif

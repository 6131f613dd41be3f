/// Calls that take a struct with pointers, flattened: Go may pass pointers to its own memory as
/// arguments, but not inside a struct. The struct is then made on the C stack, so that a step copies
/// no numbers and allocates nothing, and the garbage collector keeps the slices in place meanwhile.
#ifndef QUBUS_GO_SHIM_H
#define QUBUS_GO_SHIM_H

#include <qubus.h>
#include <stdlib.h>
#include <string.h>

/// What a call tells beside the arrays; holds no pointer, so that it may lie in Go memory.
typedef struct qubus_go_frame {
  qubus_error error;
  uint64_t sequence, shots_used, device_nanoseconds;
  int32_t was_repeated, was_rebuilt;
  double norm_drift;
} qubus_go_frame;

static inline void qubus_go_reset(qubus_error *error) {
  error->struct_size = (uint32_t)sizeof *error;
  error->code = 0;
}

/// `session` is a qubus_session: cgo allocates when it checks a pointer to an incomplete type.
static inline int32_t qubus_go_session_step(
    void *session, uint32_t outputs, const double *parameters, uint64_t rows,
    double *values, uint64_t values_capacity, double *gradients, uint64_t gradients_capacity,
    double *standard_errors, uint64_t standard_errors_capacity, uint64_t shots,
    double target_error, int64_t timeout_milliseconds, qubus_go_frame *frame) {
  qubus_step step = QUBUS_STEP_INIT;
  step.outputs = outputs;
  step.parameters = parameters;
  step.rows = rows;
  step.values = values;
  step.values_capacity = values_capacity;
  step.gradients = gradients;
  step.gradients_capacity = gradients_capacity;
  step.standard_errors = standard_errors;
  step.standard_errors_capacity = standard_errors_capacity;
  step.shots = shots;
  step.target_error = target_error;
  qubus_go_reset(&frame->error);
  int32_t code = qubus_session_step(session, &step, timeout_milliseconds, &frame->error);
  frame->sequence = step.sequence;
  frame->shots_used = step.shots_used;
  frame->device_nanoseconds = step.device_nanoseconds;
  frame->was_repeated = step.was_repeated;
  frame->was_rebuilt = step.was_rebuilt;
  frame->norm_drift = step.norm_drift;
  return code;
}

static inline int32_t qubus_go_session_step_start(
    qubus_session *session, uint32_t outputs, const double *parameters, uint64_t rows,
    uint64_t shots, double target_error, uint64_t tag, qubus_call **out, qubus_error *error) {
  qubus_step step = QUBUS_STEP_INIT;
  step.outputs = outputs;
  step.parameters = parameters;
  step.rows = rows;
  step.shots = shots;
  step.target_error = target_error;
  return qubus_session_step_start(session, &step, tag, out, error);
}

/// `spec` lies in C memory and lacks the arrays of numbers.
static inline int32_t qubus_go_optimization_start(
    qubus_session *session, qubus_optimization_spec *spec, const double *initial,
    const double *lower, const double *upper, uint64_t tag, qubus_optimization **out,
    qubus_error *error) {
  spec->initial = initial;
  spec->lower = lower;
  spec->upper = upper;
  int32_t code = qubus_optimization_start(session, spec, tag, out, error);
  spec->initial = spec->lower = spec->upper = NULL;
  return code;
}

static inline qubus_client_options qubus_go_client_options(void) {
  return (qubus_client_options)QUBUS_CLIENT_OPTIONS_INIT;
}
static inline qubus_job_spec qubus_go_job_spec(void) {
  return (qubus_job_spec)QUBUS_JOB_SPEC_INIT;
}
static inline qubus_pub qubus_go_pub(void) { return (qubus_pub)QUBUS_PUB_INIT; }
static inline qubus_parameter qubus_go_parameter(void) {
  return (qubus_parameter)QUBUS_PARAMETER_INIT;
}
static inline qubus_observable qubus_go_observable(void) {
  return (qubus_observable)QUBUS_OBSERVABLE_INIT;
}
static inline qubus_session_spec qubus_go_session_spec(void) {
  return (qubus_session_spec)QUBUS_SESSION_SPEC_INIT;
}
static inline qubus_optimization_spec qubus_go_optimization_spec(void) {
  return (qubus_optimization_spec)QUBUS_OPTIMIZATION_SPEC_INIT;
}
static inline qubus_event qubus_go_event(void) { return (qubus_event)QUBUS_EVENT_INIT; }
static inline qubus_array qubus_go_array(void) { return (qubus_array)QUBUS_ARRAY_INIT; }
static inline qubus_iteration qubus_go_iteration(void) {
  return (qubus_iteration)QUBUS_ITERATION_INIT;
}
static inline qubus_optimum qubus_go_optimum(void) { return (qubus_optimum)QUBUS_OPTIMUM_INIT; }

#endif

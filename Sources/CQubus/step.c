/// Steps as the caller makes them.
#include <stdlib.h>
#include <string.h>

#include "session.h"

static int32_t refuse(qubus_error *error, const char *what) {
  return error_set(error, QUBUS_E_INVALID_ARGUMENT, "%s", what);
}

static int32_t check_room(
    const char *name, const double *array, uint64_t capacity, uint64_t needed,
    qubus_error *error) {
  if (array == NULL && needed > 0) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "step.%s is NULL", name);
  }
  if (capacity >= needed) return QUBUS_OK;
  return error_set(error, QUBUS_E_BUFFER_TOO_SMALL,
                   "step.%s needs room for %llu numbers, its capacity is %llu", name,
                   (unsigned long long)needed, (unsigned long long)capacity);
}

/// What a synchronous step may give, and whether there is room for it.
static int32_t check_arrays(
    const qubus_session *session, const qubus_step *given, uint32_t outputs, qubus_error *error) {
  uint32_t known = QUBUS_STEP_VALUES | QUBUS_STEP_GRADIENTS;
  if (outputs & ~known) {
    return refuse(error, "step.outputs has more than values and gradients; start such a step with "
                         "qubus_session_step_start");
  }
  if (outputs & ~session->outputs) {
    return error_set(error, QUBUS_E_INVALID_STEP,
                     "step.outputs asks for 0x%x, the session was opened for 0x%x", outputs,
                     session->outputs);
  }
  uint64_t values, gradients;
  if (__builtin_mul_overflow(given->rows, session->observable_count, &values) ||
      __builtin_mul_overflow(values, session->parameter_count, &gradients) ||
      gradients > UINT64_MAX / 16 || values > UINT64_MAX / 16) {
    return refuse(error, "step.rows is too large");
  }
  int32_t code = QUBUS_OK;
  if (outputs & QUBUS_STEP_VALUES) {
    code = check_room("values", given->values, given->values_capacity, values, error);
  }
  if (code == QUBUS_OK && outputs & QUBUS_STEP_GRADIENTS) {
    code = check_room("gradients", given->gradients, given->gradients_capacity, gradients, error);
  }
  if (code == QUBUS_OK && given->standard_errors != NULL) {
    code = check_room("standard_errors", given->standard_errors,
                      given->standard_errors_capacity, values, error);
  }
  return code;
}

int32_t step_read(
    qubus_session *session, const qubus_step *given, int32_t is_synchronous, step *out,
    qubus_error *error) {
  if (given == NULL) return refuse(error, "step is NULL");
  if (given->struct_size < offsetof(qubus_step, reserved)) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                     "step.struct_size is %u; start from QUBUS_STEP_INIT", given->struct_size);
  }
  if (given->rows == 0) return refuse(error, "step.rows is 0; it must be 1 or more");
  if (given->parameters == NULL && session->parameter_count > 0) {
    return refuse(error, "step.parameters is NULL");
  }
  uint64_t bytes;
  if (__builtin_mul_overflow(given->rows, session->parameter_count, &bytes) ||
      __builtin_mul_overflow(bytes, sizeof(double), &bytes)) {
    return refuse(error, "step.rows is too large");
  }
  uint32_t outputs = given->outputs;
  if (is_synchronous) {
    if (outputs == 0) outputs = QUBUS_STEP_VALUES;
    int32_t code = check_arrays(session, given, outputs, error);
    if (code != QUBUS_OK) return code;
  }
  memset(out, 0, sizeof *out);
  out->session = session;
  out->outputs = outputs;
  out->shots = given->shots;
  out->target_error = given->target_error;
  out->rows = given->rows;
  out->parameters = given->parameters;
  out->bytes = bytes;
  out->crc32c = qubus_crc32c(0, given->parameters, bytes);
  return QUBUS_OK;
}

static int32_t is_free(const void *session) {
  return !((const qubus_session *)session)->is_stepping;
}

/// Under the mutex: the step as a call of its own, from its start to its end.
static int32_t run(
    qubus_session *session, step *read, qubus_step *given, monotonic deadline,
    qubus_error *error) {
  qubus_client *client = session->client;
  qubus_call *call = &session->synchronous;
  step *step = &session->synchronous_step;
  call_clear(call);
  call_init(call, client, call_step, &method_step);
  call->deadline = deadline;
  *step = *read;
  step->call = call;
  step->into = given;
  call->step = step;
  int32_t code = step_begin(step, error);
  if (code != QUBUS_OK) return code;
  driver_after_send(client);
  if (!driver_wait(client, call_is_over, call, deadline)) {
    if (call->state == call_sent) {
      connection_send_control(client, QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_CANCEL, call->id, 0);
    }
    call_fail(call, QUBUS_E_DEADLINE_EXCEEDED,
              "the step was not answered within the time-out%s%s",
              client->connection == connection_ready ? "" : "; not connected to ",
              client->connection == connection_ready ? "" : client->endpoint);
  }
  given->sequence = step->sequence;
  if (call->outcome != QUBUS_OK) return call_outcome(call, error);
  given->shots_used = step->facts.shots_used;
  given->device_nanoseconds = step->facts.device_nanoseconds;
  given->was_repeated = step->facts.was_repeated;
  given->was_rebuilt = step->facts.was_rebuilt;
  given->norm_drift = step->facts.norm_drift;
  return QUBUS_OK;
}

int32_t qubus_session_step(
    qubus_session *session, qubus_step *given, int64_t timeout_milliseconds, qubus_error *error) {
  int32_t code = session_check(session, error);
  if (code != QUBUS_OK) return code;
  step read;
  code = step_read(session, given, 1, &read, error);
  if (code != QUBUS_OK) return code;
  qubus_client *client = session->client;
  if (timeout_milliseconds == QUBUS_UNSET) timeout_milliseconds = client->call_timeout;
  monotonic deadline = deadline_after(timeout_milliseconds);
  pthread_mutex_lock(&client->mutex);
  if (session->is_stepping && !driver_wait(client, is_free, session, deadline)) {
    int32_t is_closed = client->is_closed;
    pthread_mutex_unlock(&client->mutex);
    if (is_closed) return error_set(error, QUBUS_E_CLIENT_CLOSED, "the client was closed");
    return error_set(error, QUBUS_E_DEADLINE_EXCEEDED,
                     "another thread's step has not ended within the time-out");
  }
  session->is_stepping = 1;
  client->synchronous_steps++;
  code = run(session, &read, given, deadline, error);
  client->synchronous_steps--;
  session->is_stepping = 0;
  if (client->waiters != NULL || client->driver_sleeps) driver_wake_waiters(client, session);
  pthread_mutex_unlock(&client->mutex);
  return code;
}

int32_t qubus_session_step_start(
    qubus_session *session, const qubus_step *given, uint64_t tag, qubus_call **out,
    qubus_error *error) {
  if (out != NULL) *out = NULL;
  int32_t code = session_check(session, error);
  if (code != QUBUS_OK) return code;
  if (out == NULL) return refuse(error, "out is NULL");
  step *made = malloc(sizeof *made);
  if (made == NULL) return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a step");
  code = step_read(session, given, 0, made, error);
  qubus_call *call = NULL;
  if (code == QUBUS_OK) {
    made->owned = malloc(made->bytes ? made->bytes : 1);
    if (made->owned == NULL) {
      code = error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a step");
    } else {
      if (made->bytes > 0) memcpy(made->owned, made->parameters, made->bytes);
      made->parameters = made->owned;
      code = call_create(session->client, call_step, &method_step, tag, &call, error);
      if (code != QUBUS_OK) free(made->owned);
    }
  }
  if (code != QUBUS_OK) {
    free(made);
    return code;
  }
  session_retain(session);
  made->holds_session = 1;
  made->call = call;
  call->step = made;
  call->deadline = deadline_after(session->client->call_timeout);
  pthread_mutex_lock(&session->client->mutex);
  code = step_begin(made, error);
  if (code == QUBUS_OK) driver_after_send(session->client);
  pthread_mutex_unlock(&session->client->mutex);
  if (code != QUBUS_OK) {
    call_release(call);
    return code;
  }
  *out = call;
  return QUBUS_OK;
}

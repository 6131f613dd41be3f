/// Reading an optimization: iterations, the optimum, cancel. A stream as stream.c has one: what is
/// missing is asked for again by the number of the last iteration that was handed out.
#include "optimization.h"

#include <stdlib.h>
#include <string.h>

enum { restarts_maximum = 8 };

static int32_t has_news(const void *subject) {
  const qubus_call *call = subject;
  return call->partials != NULL || call->state == call_done;
}

static int32_t has_id(const void *subject) {
  const qubus_call *call = subject;
  return call->optimization->has_id || call->state == call_done;
}

/// Under the mutex: asks again for what comes after the last iteration handed out.
static int32_t restart(qubus_optimization *o, const char *why, qubus_error *error) {
  if (!o->has_id || ++o->restarts > restarts_maximum) {
    return error_set(error, QUBUS_E_PROTOCOL_ERROR,
                     "the server does not tell optimization %s after iteration %llu: %s", o->id,
                     (unsigned long long)o->last_iteration, why);
  }
  int32_t code = optimization_prepare(o);
  if (code != QUBUS_OK) return error_set(error, code, "no memory for an optimization");
  call_restart(o->call);
  return QUBUS_OK;
}

/// Under the mutex: the next element of the stream; NULL with OK when the call has ended.
static int32_t take_element(
    qubus_optimization *o, monotonic deadline, reply **out, qubus_error *error) {
  qubus_call *call = o->call;
  *out = NULL;
  if (!driver_wait(o->client, has_news, call, deadline)) {
    // Read empty: the next one is announced again.
    if (call->is_announced == 2) call->is_announced = 0;
    return error_set(error, QUBUS_E_DEADLINE_EXCEEDED, "no iteration within the time-out");
  }
  reply *element = call->partials;
  if (element == NULL) return QUBUS_OK;
  call->partials = element->next;
  if (call->partials == NULL) call->last_partial = NULL;
  element->next = NULL;
  call->granted_later += element->bytes;
  if (call->granted_later >= call->credit / 2 && call->state == call_sent) {
    connection_send_control(o->client, QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_CREDIT, call->id,
                            call->granted_later);
    call->granted_later = 0;
    driver_after_send(o->client);
  }
  *out = element;
  return QUBUS_OK;
}

/// Under the mutex: the call has ended. END_OF_STREAM when everything was told.
static int32_t end(qubus_optimization *o, qubus_error *error) {
  if (!o->has_ended) {
    int32_t code = call_outcome(o->call, error);
    if (code == QUBUS_OK) code = optimization_take_end(o, error);
    if (code != QUBUS_OK) return code;
  }
  if (o->iterations > o->last_iteration && !o->is_skipping) {
    o->has_ended = 0;
    return restart(o, "it skips iterations before the end", error);
  }
  return error_set(error, QUBUS_E_END_OF_STREAM, "optimization %s has ended: %s", o->id,
                   o->ending);
}

/// Without the mutex: gets the next batch, which begins where the last one ended.
static int32_t fill(qubus_optimization *o, monotonic deadline, qubus_error *error) {
  qubus_client *client = o->client;
  for (;;) {
    reply *element;
    pthread_mutex_lock(&client->mutex);
    int32_t code = take_element(o, deadline, &element, error);
    if (code == QUBUS_OK && element == NULL) code = end(o, error);
    pthread_mutex_unlock(&client->mutex);
    if (code != QUBUS_OK) return code;
    if (element == NULL) continue;
    const char *problem = optimization_take(o, element);
    reply_free(element);
    free(element);
    if (problem == NULL && o->count > 0 && o->first > o->last_iteration + 1 && !o->is_skipping) {
      problem = "it skips iterations";
    }
    if (problem != NULL) {
      o->count = 0;
      pthread_mutex_lock(&client->mutex);
      code = restart(o, problem, error);
      pthread_mutex_unlock(&client->mutex);
      if (code != QUBUS_OK) return code;
      continue;
    }
    if (o->count > 0 && o->first <= o->last_iteration) {
      uint64_t known = o->last_iteration - o->first + 1;
      o->at = known < o->count ? known : o->count;
    }
    if (o->at < o->count) return QUBUS_OK;
  }
}

static int32_t next(
    qubus_optimization *o, monotonic deadline, qubus_iteration *out, qubus_error *error) {
  if (o->at >= o->count) {
    int32_t code = fill(o, deadline, error);
    if (code != QUBUS_OK) return code;
  }
  uint64_t i = o->at++;
  out->parameter_count = (uint32_t)o->session->parameter_count;
  out->number = o->first + i;
  out->value = o->values[i];
  out->gradient_norm = o->norms[i];
  out->parameters = o->parameters + i * o->session->parameter_count;
  out->evaluations = o->evaluations;
  out->shots_used = o->shots_used;
  out->device_microseconds = o->device_microseconds;
  pthread_mutex_lock(&o->client->mutex);
  o->last_iteration = out->number;
  o->restarts = 0;
  pthread_mutex_unlock(&o->client->mutex);
  return QUBUS_OK;
}

static int32_t result(
    qubus_optimization *o, monotonic deadline, qubus_optimum *out, qubus_error *error) {
  o->count = o->at = 0;
  int32_t code = QUBUS_OK;
  pthread_mutex_lock(&o->client->mutex);
  o->is_skipping = 1;
  while (code == QUBUS_OK && !o->has_ended) {
    reply *element;
    code = take_element(o, deadline, &element, error);
    if (element != NULL) {
      reply_free(element);
      free(element);
    } else if (code == QUBUS_OK) {
      code = call_outcome(o->call, error);
      if (code == QUBUS_OK) code = optimization_take_end(o, error);
    }
  }
  pthread_mutex_unlock(&o->client->mutex);
  if (code != QUBUS_OK) return code;
  out->parameter_count = (uint32_t)o->session->parameter_count;
  out->best = o->best;
  out->last = o->last;
  out->best_value = o->best_value;
  out->last_value = o->last_value;
  out->iterations = o->iterations;
  out->evaluations = o->evaluations;
  out->shots_used = o->shots_used;
  out->device_microseconds = o->device_microseconds;
  out->ending = o->ending;
  return QUBUS_OK;
}

/// One thread reads at a time. Checks, and takes the turn.
static int32_t enter(qubus_optimization *o, qubus_error *error) {
  int32_t code = client_check(o->client, error);
  if (code != QUBUS_OK) return code;
  pthread_mutex_lock(&o->client->mutex);
  int32_t is_read = o->is_read;
  o->is_read = 1;
  pthread_mutex_unlock(&o->client->mutex);
  if (!is_read) return QUBUS_OK;
  return error_set(error, QUBUS_E_INVALID_ARGUMENT, "another thread reads this optimization");
}

static void leave(qubus_optimization *o) {
  pthread_mutex_lock(&o->client->mutex);
  o->is_read = 0;
  pthread_mutex_unlock(&o->client->mutex);
}

// Public

int32_t qubus_optimization_next(
    qubus_optimization *optimization, int64_t timeout_milliseconds, qubus_iteration *iteration,
    qubus_error *error) {
  error_clear(error);
  if (optimization == NULL || iteration == NULL || iteration->struct_size < sizeof *iteration) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                     "optimization or iteration is NULL, or iteration does not start from "
                     "QUBUS_ITERATION_INIT");
  }
  int32_t code = enter(optimization, error);
  if (code != QUBUS_OK) return code;
  code = next(optimization, deadline_after(timeout_milliseconds), iteration, error);
  leave(optimization);
  return code;
}

int32_t qubus_optimization_result(
    qubus_optimization *optimization, int64_t timeout_milliseconds, qubus_optimum *optimum,
    qubus_error *error) {
  error_clear(error);
  if (optimization == NULL || optimum == NULL || optimum->struct_size < sizeof *optimum) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                     "optimization or optimum is NULL, or optimum does not start from "
                     "QUBUS_OPTIMUM_INIT");
  }
  int32_t code = enter(optimization, error);
  if (code != QUBUS_OK) return code;
  code = result(optimization, deadline_after(timeout_milliseconds), optimum, error);
  leave(optimization);
  return code;
}

const char *qubus_optimization_id(qubus_optimization *optimization) {
  if (optimization == NULL || client_is_foreign(optimization->client)) return "";
  qubus_client *client = optimization->client;
  pthread_mutex_lock(&client->mutex);
  if (!optimization->has_id && !client->driver_sleeps && !client->io_sleeps) driver_look(client);
  int32_t is_known = optimization->has_id;
  pthread_mutex_unlock(&client->mutex);
  return is_known ? optimization->id : "";
}

int32_t qubus_optimization_cancel(
    qubus_optimization *optimization, int64_t timeout_milliseconds, int32_t *was_running,
    qubus_error *error) {
  error_clear(error);
  if (was_running != NULL) *was_running = 0;
  if (optimization == NULL) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "optimization is NULL");
  }
  qubus_client *client = optimization->client;
  int32_t code = client_check(client, error);
  if (code != QUBUS_OK) return code;
  if (timeout_milliseconds == QUBUS_UNSET) timeout_milliseconds = client->call_timeout;
  monotonic deadline = deadline_after(timeout_milliseconds);
  pthread_mutex_lock(&client->mutex);
  int32_t is_known = driver_wait(client, has_id, optimization->call, deadline);
  int32_t is_named = optimization->has_id;
  pthread_mutex_unlock(&client->mutex);
  if (!is_known) {
    return error_set(error, QUBUS_E_DEADLINE_EXCEEDED,
                     "the server has not told the optimization's id within the time-out");
  }
  if (!is_named) return QUBUS_OK;  // it ended, or never started: nothing runs
  Qubus__V1__CancelOptimizeRequest request = QUBUS__V1__CANCEL_OPTIMIZE_REQUEST__INIT;
  request.session_id = optimization->session->id;
  request.optimization_id = optimization->id;
  qubus_call *call;
  code = call_create_for(client, &method_cancel_optimize, &request.base, 0, &call, error);
  if (code != QUBUS_OK) return code;
  int64_t left = deadline == time_never ? -1 : (deadline - monotonic_now()) / 1000000;
  code = call_run(call, deadline != time_never && left < 0 ? 0 : left, error);
  if (code != QUBUS_OK) return code;
  uint8_t buffer[512];
  qubus_arena arena;
  ProtobufCMessage *message;
  qubus_arena_init(&arena, buffer, sizeof buffer,
                   message_budget(zmq_msg_size(&call->final.body)));
  code = call_decode(call, &arena, &message, error);
  if (code == QUBUS_OK && was_running != NULL) {
    *was_running = ((const Qubus__V1__CancelOptimizeResponse *)(const void *)message)->was_running;
  }
  qubus_arena_free(&arena);
  qubus_call_free(&call);
  return code;
}

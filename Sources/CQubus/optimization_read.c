/// What the server tells of an optimization, copied out of its frames.
#include <stdlib.h>
#include <string.h>

#include "optimization.h"

/// A vector of `count` doubles, checked. NULL when the attachment is none.
static const void *vector(attachment *a, uint64_t count) {
  size_t bytes = zmq_msg_size(&a->frame);
  if (a->data_type != QUBUS_TYPE_FLOAT64 || count > SIZE_MAX / 8 || bytes != count * 8 ||
      qubus_crc32c(0, zmq_msg_data(&a->frame), bytes) != a->crc32c) {
    return NULL;
  }
  return zmq_msg_data(&a->frame);
}

static int32_t make_room(qubus_optimization *o, uint64_t count) {
  if (count <= o->capacity) return 1;
  uint64_t width = o->session->parameter_count;
  uint64_t numbers;
  if (__builtin_mul_overflow(count, width + 1, &numbers) || numbers > SIZE_MAX / 16) return 0;
  double *values = malloc(count * sizeof *values);
  double *norms = malloc(count * sizeof *norms);
  double *parameters = malloc(count * width * sizeof *parameters + 1);
  if (values == NULL || norms == NULL || parameters == NULL) {
    free(values);
    free(norms);
    free(parameters);
    return 0;
  }
  free(o->values);
  free(o->norms);
  free(o->parameters);
  o->values = values;
  o->norms = norms;
  o->parameters = parameters;
  o->capacity = count;
  return 1;
}

static const char *copy_batch(
    qubus_optimization *o, const Qubus__V1__OptimizeProgress *told, const reply *part) {
  uint64_t count = told->count, width = o->session->parameter_count;
  o->evaluations = told->evaluations;
  o->shots_used = told->shots_used;
  o->device_microseconds = told->device_microseconds;
  if (count == 0) return NULL;
  if (part->attachment_count != 3 || told->first_iteration == 0 ||
      count > (width + 1 ? UINT64_MAX / 16 / (width + 1) : 0)) {
    return "it has not three arrays";
  }
  const void *values = vector(&part->attachments[0], count);
  const void *norms = vector(&part->attachments[1], count);
  const void *parameters = vector(&part->attachments[2], count * width);
  if (values == NULL || norms == NULL || parameters == NULL) {
    return "an array has another length or checksum than was told";
  }
  if (!make_room(o, count)) return "there is no memory for its iterations";
  memcpy(o->values, values, count * 8);
  memcpy(o->norms, norms, count * 8);
  if (width > 0) memcpy(o->parameters, parameters, count * width * 8);
  o->first = told->first_iteration;
  o->count = count;
  o->at = 0;
  return NULL;
}

const char *optimization_take(qubus_optimization *o, const reply *part) {
  o->count = o->at = 0;
  uint8_t buffer[1024];
  qubus_arena arena;
  ProtobufCMessage *message;
  zmq_msg_t *body = (zmq_msg_t *)(uintptr_t)&part->body;
  size_t count = zmq_msg_size(body);
  qubus_arena_init(&arena, buffer, sizeof buffer, message_budget(count));
  const char *problem = "its body cannot be read";
  if (message_decode(&qubus__v1__optimize_progress__descriptor, zmq_msg_data(body), count, &arena,
                     &message, NULL) == QUBUS_OK) {
    problem = copy_batch(o, (const void *)message, part);
  }
  qubus_arena_free(&arena);
  return problem;
}

static double *copy_vector(attachment *a, uint64_t count) {
  const void *numbers = vector(a, count);
  double *copy = numbers != NULL ? malloc(count * 8 + 1) : NULL;
  if (copy != NULL && count > 0) memcpy(copy, numbers, count * 8);
  return copy;
}

int32_t optimization_take_end(qubus_optimization *o, qubus_error *error) {
  if (o->has_ended) return QUBUS_OK;
  uint8_t buffer[1024];
  qubus_arena arena;
  ProtobufCMessage *message;
  qubus_call *call = o->call;
  qubus_arena_init(&arena, buffer, sizeof buffer,
                   message_budget(zmq_msg_size(&call->final.body)));
  int32_t code = call_decode(call, &arena, &message, error);
  if (code == QUBUS_OK) {
    const Qubus__V1__OptimizeResponse *told = (const void *)message;
    uint64_t width = o->session->parameter_count;
    free(o->best);
    free(o->last);
    o->best = o->last = NULL;
    if (call->final.attachment_count == 2) {
      o->best = copy_vector(&call->final.attachments[0], width);
      o->last = copy_vector(&call->final.attachments[1], width);
    }
    o->best_value = told->best_value;
    o->last_value = told->last_value;
    o->iterations = told->iterations;
    o->evaluations = told->evaluations;
    o->shots_used = told->shots_used;
    o->device_microseconds = told->device_microseconds;
    strncpy(o->ending, told->ending, sizeof o->ending - 1);
    if (o->best == NULL || o->last == NULL) {
      code = error_set(error, QUBUS_E_PROTOCOL_ERROR,
                       "the end of optimization %s lacks its parameters, or they are damaged",
                       o->id);
    } else {
      o->has_ended = 1;
    }
  }
  qubus_arena_free(&arena);
  return code;
}

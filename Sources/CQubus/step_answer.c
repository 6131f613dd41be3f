/// What comes back from a step: straight into the caller's arrays, or into a result.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

typedef struct kind {
  uint32_t bit;
  const char *name;
  int32_t data_type;
} kind;

/// In the order in which they come; counts are three arrays.
static const kind kinds[] = {
    {QUBUS_STEP_VALUES, "values", QUBUS_TYPE_FLOAT64},
    {QUBUS_STEP_STANDARD_ERRORS, "standard_errors", QUBUS_TYPE_FLOAT64},
    {QUBUS_STEP_GRADIENTS, "gradients", QUBUS_TYPE_FLOAT64},
    {QUBUS_STEP_COUNTS, "counts.offsets", QUBUS_TYPE_UINT64},
    {QUBUS_STEP_COUNTS, "counts.keys", QUBUS_TYPE_UINT64},
    {QUBUS_STEP_COUNTS, "counts.values", QUBUS_TYPE_UINT64},
    {QUBUS_STEP_STATEVECTOR, "statevector", QUBUS_TYPE_COMPLEX128},
};
enum { kind_count = sizeof kinds / sizeof kinds[0] };

static size_t element_bytes(int32_t data_type) {
  return data_type == QUBUS_TYPE_COMPLEX128 ? 16 : 8;
}

/// What is wrong with an array, or NULL. `is_corrupt`: its bytes are not those that were sent.
static const char *judge(attachment *a, const kind *expected, int32_t *is_corrupt) {
  size_t bytes = zmq_msg_size(&a->frame);
  if (a->data_type != expected->data_type) return "an array has another element type";
  if (a->rank < 1 || a->rank > 3) return "an array has no axis, or more than 3";
  uint64_t product = element_bytes(a->data_type);
  for (uint32_t i = 0; i < a->rank; i++) {
    if (__builtin_mul_overflow(product, a->shape[i], &product)) return "a shape overflows";
  }
  if (a->bytes != bytes || product != bytes) return "an array has not the length of its shape";
  if (qubus_crc32c(0, zmq_msg_data(&a->frame), bytes) != a->crc32c) {
    *is_corrupt = 1;
    return "the checksum of an array is not that of its bytes";
  }
  return NULL;
}

/// Where an array goes in a synchronous step; NULL when nobody asked for it.
static double *destination(const step *step, const kind *kind, uint64_t *numbers) {
  const qubus_step *into = step->into;
  *numbers = step->rows * step->session->observable_count;
  switch (kind->bit) {
    case QUBUS_STEP_VALUES: return into->values;
    case QUBUS_STEP_STANDARD_ERRORS: return into->standard_errors;
    case QUBUS_STEP_GRADIENTS:
      *numbers *= step->session->parameter_count;
      return into->gradients;
    default: return NULL;
  }
}

const char *step_place(step *step, attachment *attachments, size_t count, int32_t *is_corrupt) {
  qubus_step *into = step->into;
  uint32_t missing = step->outputs & ~step->facts.arrays;
  if (missing != 0) return "it lacks an array that was asked for";
  if (into->standard_errors != NULL && !(step->facts.arrays & QUBUS_STEP_STANDARD_ERRORS)) {
    uint64_t numbers = step->rows * step->session->observable_count;
    for (uint64_t i = 0; i < numbers; i++) into->standard_errors[i] = NAN;
  }
  size_t next = 0;
  for (size_t i = 0; i < kind_count; i++) {
    if (!(step->facts.arrays & kinds[i].bit)) continue;
    if (next == count) return "it has fewer arrays than it says";
    attachment *a = &attachments[next++];
    const char *problem = judge(a, &kinds[i], is_corrupt);
    if (problem != NULL) return problem;
    uint64_t numbers;
    double *to = destination(step, &kinds[i], &numbers);
    if (to == NULL || !((step->outputs | QUBUS_STEP_STANDARD_ERRORS) & kinds[i].bit)) continue;
    if (zmq_msg_size(&a->frame) != numbers * sizeof *to) {
      return "an array has another shape than was asked for";
    }
    if (numbers > 0) memcpy(to, zmq_msg_data(&a->frame), numbers * sizeof *to);
  }
  return next == count ? NULL : "it has more arrays than it says";
}

// The short way of a synchronous step

/// Takes the frames behind the envelope. Returns NULL or what is wrong with them.
static const char *receive_frames(
    qubus_client *client, scanned *message, int32_t more, zmq_msg_t *body, size_t *received) {
  *received = 0;
  if (!more) return "the body is missing";
  if (!connection_receive(client, body, &more)) return "the body is missing";
  while (more && *received < message->attachment_count) {
    zmq_msg_t *frame = &message->attachments[*received].frame;
    zmq_msg_init(frame);
    ++*received;
    if (!connection_receive(client, frame, &more)) return "an array is missing";
  }
  if (more) {
    receive_skip(client, more);
    return "it has frames that nothing describes";
  }
  return *received < message->attachment_count ? "an array is missing" : NULL;
}

static void take(qubus_call *call, const char *problem, scanned *message, zmq_msg_t *body) {
  int32_t is_corrupt = 0;
  step *step = call->step;
  if (problem == NULL &&
      !step_scan_response(zmq_msg_data(body), zmq_msg_size(body), &step->facts)) {
    problem = "its body is malformed";
  }
  if (problem == NULL) {
    problem = step_place(step, message->attachments, message->attachment_count, &is_corrupt);
  }
  step_settle(call, problem, is_corrupt);
}

int32_t step_receive(qubus_client *client, const uint8_t *data, size_t count, int32_t more) {
  scanned message;
  if (!step_scan_envelope(data, count, &message)) return 0;
  if (client->connection != connection_ready) return 0;
  if (message.instance_bytes > 0 &&
      (message.instance_bytes != strlen(client->instance) ||
       memcmp(message.instance, client->instance, message.instance_bytes) != 0)) {
    return 0;
  }
  qubus_call *call = call_find(client, message.call_id);
  if (call == NULL || call->kind != call_step || call->step->into == NULL ||
      call->state != call_sent) {
    return 0;
  }
  zmq_msg_t body;
  zmq_msg_init(&body);
  size_t received;
  const char *problem = receive_frames(client, &message, more, &body, &received);
  client->backoff = client->reconnect_minimum;
  take(call, problem, &message, &body);
  zmq_msg_close(&body);
  while (received > 0) zmq_msg_close(&message.attachments[--received].frame);
  return 1;
}

// The result of a step that was started

int32_t step_result(qubus_call *call, qubus_result **out, qubus_error *error) {
  step *step = call->step;
  plain_array arrays[kind_count];
  size_t count = 0;
  for (size_t i = 0; i < kind_count; i++) {
    if (!(step->facts.arrays & kinds[i].bit)) continue;
    attachment *a = &call->final.attachments[count];
    plain_array *array = &arrays[count++];
    array->name = kinds[i].name;
    array->data_type = a->data_type;
    array->rank = a->rank;
    memcpy(array->shape, a->shape, sizeof array->shape);
    array->data = zmq_msg_data(&a->frame);
  }
  Qubus__V1__StepResponse told = QUBUS__V1__STEP_RESPONSE__INIT;
  told.sequence = step->facts.sequence;
  told.arrays = step->facts.arrays;
  told.shots_used = step->facts.shots_used;
  told.device_nanoseconds = step->facts.device_nanoseconds;
  told.was_repeated = step->facts.was_repeated;
  told.was_rebuilt = step->facts.was_rebuilt;
  told.norm_drift = step->facts.norm_drift;
  return result_of_arrays(arrays, count, step->session->bit_count, &told.base, out, error);
}

/// What is wrong with an answer that came in the general way, or NULL.
const char *step_judge_reply(qubus_call *call, int32_t *is_corrupt) {
  step *step = call->step;
  reply *final = &call->final;
  if (!step_scan_response(zmq_msg_data(&final->body), zmq_msg_size(&final->body), &step->facts)) {
    return "its body is malformed";
  }
  if (step->into != NULL) {
    return step_place(step, final->attachments, final->attachment_count, is_corrupt);
  }
  size_t next = 0;
  for (size_t i = 0; i < kind_count; i++) {
    if (!(step->facts.arrays & kinds[i].bit)) continue;
    if (next == final->attachment_count) return "it has fewer arrays than it says";
    const char *problem = judge(&final->attachments[next++], &kinds[i], is_corrupt);
    if (problem != NULL) return problem;
  }
  return next == final->attachment_count ? NULL : "it has more arrays than it says";
}

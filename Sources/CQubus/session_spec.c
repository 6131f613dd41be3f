#include <math.h>
#include <string.h>

#include "session.h"

static char *text(const char *given) {
  return given != NULL ? (char *)(uintptr_t)given : (char *)(uintptr_t)"";
}

static int32_t no_memory(qubus_error *error) {
  return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a session's request");
}

static int32_t build_observable(
    qubus_arena *arena, const qubus_observable *given, uint64_t index,
    Qubus__V1__Observable **out, qubus_error *error) {
  if (given->term_count > 0 && given->terms == NULL) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "spec.observables[%llu].terms is NULL",
                     (unsigned long long)index);
  }
  Qubus__V1__Observable *made = qubus_arena_allocate(arena, sizeof *made);
  Qubus__V1__PauliTerm *terms = qubus_arena_allocate(arena, given->term_count * sizeof *terms);
  Qubus__V1__PauliTerm **pointers =
      qubus_arena_allocate(arena, given->term_count * sizeof *pointers);
  if (made == NULL || terms == NULL || pointers == NULL) return no_memory(error);
  qubus__v1__observable__init(made);
  for (uint32_t i = 0; i < given->term_count; i++) {
    pointers[i] = &terms[i];
    qubus__v1__pauli_term__init(&terms[i]);
    terms[i].pauli = text(given->terms[i].pauli);
    terms[i].coefficient = given->terms[i].coefficient;
  }
  made->n_terms = given->term_count;
  made->terms = pointers;
  *out = made;
  return QUBUS_OK;
}

static int32_t build_observables(
    qubus_arena *arena, const qubus_session_spec *spec, Qubus__V1__OpenSessionRequest *out,
    qubus_error *error) {
  if (spec->observable_count == 0) return QUBUS_OK;
  if (spec->observables == NULL) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "spec.observables is NULL");
  }
  size_t stride = spec->observables->struct_size;
  if (stride < sizeof(qubus_observable) || stride % _Alignof(qubus_observable) != 0) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                     "spec.observables[0].struct_size is not that of QUBUS_OBSERVABLE_INIT");
  }
  if (spec->observable_count > SIZE_MAX / sizeof *out->observables) return no_memory(error);
  out->observables =
      qubus_arena_allocate(arena, spec->observable_count * sizeof *out->observables);
  if (out->observables == NULL) return no_memory(error);
  out->n_observables = spec->observable_count;
  for (uint64_t i = 0; i < spec->observable_count; i++) {
    const void *given = (const char *)spec->observables + i * stride;
    int32_t code = build_observable(arena, given, i, &out->observables[i], error);
    if (code != QUBUS_OK) return code;
  }
  return QUBUS_OK;
}

#define CHOOSE(field, choice, CHOICE)                                                            \
  (out->choice##_case = QUBUS__V1__OPEN_SESSION_REQUEST__##CHOICE, out->field = spec->field)

static int32_t set_choices(
    const qubus_session_spec *spec, Qubus__V1__OpenSessionRequest *out, qubus_error *error) {
  if (spec->shots != QUBUS_UNSET) CHOOSE(shots, shots_choice, SHOTS_CHOICE_SHOTS);
  if (!isnan(spec->target_error)) {
    CHOOSE(target_error, target_error_choice, TARGET_ERROR_CHOICE_TARGET_ERROR);
  }
  if (spec->has_seed) CHOOSE(seed, seed_choice, SEED_CHOICE_SEED);
  if (!isnan(spec->idle_seconds)) {
    CHOOSE(idle_seconds, idle_choice, IDLE_CHOICE_IDLE_SECONDS);
  }
  if (!isnan(spec->wall_seconds)) {
    CHOOSE(wall_seconds, wall_choice, WALL_CHOICE_WALL_SECONDS);
  }
  if (!isnan(spec->max_device_seconds)) {
    CHOOSE(max_device_seconds, device_choice, DEVICE_CHOICE_MAX_DEVICE_SECONDS);
  }
  if (spec->max_steps != QUBUS_UNSET) {
    if (spec->max_steps < 0) {
      return error_set(error, QUBUS_E_INVALID_ARGUMENT, "spec.max_steps is negative");
    }
    out->steps_choice_case = QUBUS__V1__OPEN_SESSION_REQUEST__STEPS_CHOICE_MAX_STEPS;
    out->max_steps = (uint64_t)spec->max_steps;
  }
  if (spec->memory_bytes != QUBUS_UNSET) {
    if (spec->memory_bytes < 0) {
      return error_set(error, QUBUS_E_INVALID_ARGUMENT, "spec.memory_bytes is negative");
    }
    out->memory_choice_case = QUBUS__V1__OPEN_SESSION_REQUEST__MEMORY_CHOICE_MEMORY_BYTES;
    out->memory_bytes = (uint64_t)spec->memory_bytes;
  }
  out->shares_random_numbers = spec->shares_random_numbers != 0;
  if (spec->precision != NULL && spec->precision[0]) {
    if (strcmp(spec->precision, "double") != 0 && strcmp(spec->precision, "single") != 0) {
      return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                       "spec.precision is \"%.64s\"; known are double, single", spec->precision);
    }
    out->precision = spec->precision[0] == 'd' ? QUBUS__V1__PRECISION__PRECISION_DOUBLE
                                               : QUBUS__V1__PRECISION__PRECISION_SINGLE;
  }
  return QUBUS_OK;
}

static int32_t check(const qubus_session_spec *spec, qubus_error *error) {
  enum { every_output = QUBUS_STEP_VALUES | QUBUS_STEP_GRADIENTS | QUBUS_STEP_COUNTS |
                        QUBUS_STEP_STATEVECTOR };
  if (spec == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "spec is NULL");
  if (spec->struct_size < offsetof(qubus_session_spec, reserved)) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                     "spec.struct_size is %u; start from QUBUS_SESSION_SPEC_INIT",
                     spec->struct_size);
  }
  if (spec->program == NULL) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "spec.program is NULL");
  }
  if (spec->outputs & ~(uint32_t)every_output) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                     "spec.outputs is 0x%x; known are values 1, gradients 2, counts 4, "
                     "statevector 8", spec->outputs);
  }
  if (spec->tag_count > 0 && spec->tags == NULL) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "spec.tags is NULL");
  }
  for (uint64_t i = 0; i < spec->tag_count; i++) {
    if (spec->tags[i] == NULL) {
      return error_set(error, QUBUS_E_INVALID_ARGUMENT, "spec.tags[%llu] is NULL",
                       (unsigned long long)i);
    }
  }
  return QUBUS_OK;
}

int32_t session_spec_encode(
    const qubus_session_spec *spec, const char *key, zmq_msg_t *out, qubus_error *error) {
  int32_t code = check(spec, error);
  if (code != QUBUS_OK) return code;
  _Alignas(16) uint8_t buffer[2048];
  qubus_arena arena;
  qubus_arena_init(&arena, buffer, sizeof buffer, SIZE_MAX / 2);
  Qubus__V1__OpenSessionRequest request = QUBUS__V1__OPEN_SESSION_REQUEST__INIT;
  Qubus__V1__StepOutput outputs[4];
  request.schema_version = 1;
  request.program.data = (uint8_t *)(uintptr_t)spec->program;
  request.program.len = spec->program_bytes ? spec->program_bytes : strlen(spec->program);
  request.outputs = outputs;
  for (int i = 0; i < 4; i++) {
    // StepOutput counts from 1 in the order of the bits.
    if (spec->outputs >> i & 1) outputs[request.n_outputs++] = (Qubus__V1__StepOutput)(i + 1);
  }
  request.device = text(spec->device);
  request.name = text(spec->name);
  request.tags = (char **)(uintptr_t)spec->tags;
  request.n_tags = spec->tag_count;
  request.idempotency_key = text(key);
  code = set_choices(spec, &request, error);
  if (code == QUBUS_OK) code = build_observables(&arena, spec, &request, error);
  if (code == QUBUS_OK) code = message_encode(&request.base, out, error);
  qubus_arena_free(&arena);
  return code;
}

#include "internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/// Builds the protobuf form of a spec in an arena; texts stay the caller's, so nothing is copied
/// before packing.
typedef struct builder {
  qubus_arena arena;
  qubus_error *error;
  int32_t code;
} builder;

static void *allocate(builder *b, size_t count, size_t size) {
  void *memory = count > SIZE_MAX / (size ? size : 1)
                     ? NULL
                     : qubus_arena_allocate(&b->arena, count * size);
  if (memory == NULL && b->code == QUBUS_OK) {
    b->code = error_set(b->error, QUBUS_E_OUT_OF_MEMORY, "no memory for a request");
  }
  return memory;
}

static char *text(const char *given) {
  return given != NULL ? (char *)(uintptr_t)given : (char *)(uintptr_t)"";
}

static int32_t refuse(builder *b, const char *what, uint64_t pub) {
  if (b->code == QUBUS_OK) {
    b->code = error_set(b->error, QUBUS_E_INVALID_ARGUMENT, "pubs[%llu]: %s",
                        (unsigned long long)pub, what);
  }
  return 0;
}

static int32_t build_parameters(
    builder *b, const qubus_pub *pub, uint64_t index, Qubus__V1__Pub *out) {
  if (pub->parameter_count == 0) return 1;
  if (pub->parameters == NULL) return refuse(b, "parameters is NULL", index);
  size_t stride = pub->parameters->struct_size;
  if (stride < sizeof(qubus_parameter) || stride % _Alignof(qubus_parameter) != 0) {
    return refuse(b, "parameters[0].struct_size is not that of QUBUS_PARAMETER_INIT", index);
  }
  out->parameters = allocate(b, pub->parameter_count, sizeof *out->parameters);
  Qubus__V1__ParameterArray *arrays = allocate(b, pub->parameter_count, sizeof *arrays);
  if (out->parameters == NULL || arrays == NULL) return 0;
  for (uint64_t i = 0; i < pub->parameter_count; i++) {
    const qubus_parameter *given =
        (const void *)((const char *)pub->parameters + i * stride);
    Qubus__V1__ParameterArray *array = out->parameters[i] = &arrays[i];
    qubus__v1__parameter_array__init(array);
    array->name = text(given->name);
    uint64_t count = 1;
    if (given->rank > 0 && given->shape == NULL) return refuse(b, "a shape is NULL", index);
    for (uint32_t k = 0; k < given->rank; k++) {
      if (__builtin_mul_overflow(count, given->shape[k], &count)) {
        return refuse(b, "a shape overflows", index);
      }
    }
    if (count > 0 && given->values == NULL) return refuse(b, "values is NULL", index);
    if (count > SIZE_MAX / 16) return refuse(b, "a shape is too large", index);
    array->n_shape = given->rank;
    array->shape = (uint64_t *)(uintptr_t)given->shape;
    array->n_values = count;
    array->values = (double *)(uintptr_t)given->values;
  }
  out->n_parameters = pub->parameter_count;
  return 1;
}

static Qubus__V1__Observable *build_observable(
    builder *b, const qubus_observable *given, uint64_t index) {
  Qubus__V1__Observable *observable = allocate(b, 1, sizeof *observable);
  Qubus__V1__PauliTerm *terms = allocate(b, given->term_count, sizeof *terms);
  Qubus__V1__PauliTerm **pointers = allocate(b, given->term_count, sizeof *pointers);
  if (observable == NULL || terms == NULL || pointers == NULL) return NULL;
  if (given->term_count > 0 && given->terms == NULL) {
    refuse(b, "the terms of an observable are NULL", index);
    return NULL;
  }
  qubus__v1__observable__init(observable);
  for (uint32_t i = 0; i < given->term_count; i++) {
    pointers[i] = &terms[i];
    qubus__v1__pauli_term__init(&terms[i]);
    terms[i].pauli = text(given->terms[i].pauli);
    terms[i].coefficient = given->terms[i].coefficient;
  }
  observable->n_terms = given->term_count;
  observable->terms = pointers;
  return observable;
}

static int32_t build_observables(
    builder *b, const qubus_pub *pub, uint64_t index, Qubus__V1__Pub *out) {
  if (pub->observable_count == 0) return 1;
  if (pub->observables == NULL) return refuse(b, "observables is NULL", index);
  size_t stride = pub->observables->struct_size;
  if (stride < sizeof(qubus_observable) || stride % _Alignof(qubus_observable) != 0) {
    return refuse(b, "observables[0].struct_size is not that of QUBUS_OBSERVABLE_INIT", index);
  }
  out->observables = allocate(b, pub->observable_count, sizeof *out->observables);
  if (out->observables == NULL) return 0;
  for (uint64_t i = 0; i < pub->observable_count; i++) {
    const void *given = (const char *)pub->observables + i * stride;
    out->observables[i] = build_observable(b, given, index);
    if (out->observables[i] == NULL) return 0;
  }
  out->n_observables = pub->observable_count;
  if (pub->observables_shape != NULL) {
    out->n_observables_shape = pub->observables_rank;
    out->observables_shape = (uint64_t *)(uintptr_t)pub->observables_shape;
  }
  return 1;
}

static Qubus__V1__Pub *build_pub(builder *b, const qubus_pub *given, uint64_t index) {
  enum { output_kinds = 5 };
  Qubus__V1__Pub *pub = allocate(b, 1, sizeof *pub);
  if (pub == NULL) return NULL;
  qubus__v1__pub__init(pub);
  if (given->program == NULL) {
    refuse(b, "program is NULL", index);
    return NULL;
  }
  pub->program.data = (uint8_t *)(uintptr_t)given->program;
  pub->program.len = given->program_bytes ? given->program_bytes : strlen(given->program);
  if (given->shots != QUBUS_UNSET) {
    pub->shots_choice_case = QUBUS__V1__PUB__SHOTS_CHOICE_SHOTS;
    pub->shots = given->shots;
  }
  if (given->target_precision != 0 && !isnan(given->target_precision)) {
    pub->precision_choice_case = QUBUS__V1__PUB__PRECISION_CHOICE_TARGET_PRECISION;
    pub->target_precision = given->target_precision;
  }
  if (given->outputs >> output_kinds != 0) {
    refuse(b, "outputs has bits that are no QUBUS_OUTPUT_*", index);
    return NULL;
  }
  pub->outputs = allocate(b, output_kinds, sizeof *pub->outputs);
  if (pub->outputs == NULL) return NULL;
  for (int i = 0; i < output_kinds; i++) {
    // OutputKind counts from 1 in the order of the bits.
    if (given->outputs >> i & 1) pub->outputs[pub->n_outputs++] = (Qubus__V1__OutputKind)(i + 1);
  }
  if (!build_parameters(b, given, index, pub) || !build_observables(b, given, index, pub)) {
    return NULL;
  }
  return pub;
}

#define SET_DOUBLE(field, case_field, case_value)         \
  if (spec->field != 0 && !isnan(spec->field)) {          \
    out->case_field = QUBUS__V1__EXECUTION__##case_value; \
    out->field = spec->field;                             \
  }

static int32_t build_execution(
    builder *b, const qubus_job_spec *spec, Qubus__V1__Execution *out) {
  qubus__v1__execution__init(out);
  out->priority_class = (Qubus__V1__PriorityClass)spec->priority_class;
  out->device = text(spec->device);
  out->device_family = text(spec->device_family);
  out->allow_simulator_fallback = spec->allow_simulator_fallback != 0;
  SET_DOUBLE(max_error, max_error_choice_case, MAX_ERROR_CHOICE_MAX_ERROR)
  SET_DOUBLE(deadline_seconds, deadline_choice_case, DEADLINE_CHOICE_DEADLINE_SECONDS)
  SET_DOUBLE(ttl_seconds, ttl_choice_case, TTL_CHOICE_TTL_SECONDS)
  SET_DOUBLE(expected_seconds, expected_choice_case, EXPECTED_CHOICE_EXPECTED_SECONDS)
  SET_DOUBLE(max_run_seconds, max_run_choice_case, MAX_RUN_CHOICE_MAX_RUN_SECONDS)
  if (spec->max_cost != QUBUS_UNSET) {
    out->max_cost_choice_case = QUBUS__V1__EXECUTION__MAX_COST_CHOICE_MAX_COST;
    out->max_cost = spec->max_cost;
  }
  if (spec->has_seed) {
    out->seed_choice_case = QUBUS__V1__EXECUTION__SEED_CHOICE_SEED;
    out->seed = spec->seed;
  }
  static const char *const policies[] = {"cheapest", "fastest", "best_fidelity"};
  static const char *const precisions[] = {"double", "single"};
  if (spec->device_policy != NULL && spec->device_policy[0]) {
    for (int i = 0; i < 3; i++) {
      if (strcmp(spec->device_policy, policies[i]) == 0) {
        out->device_policy = (Qubus__V1__DevicePolicy)(i + 1);
      }
    }
    if (out->device_policy == 0) {
      b->code = error_set(b->error, QUBUS_E_INVALID_ARGUMENT,
                          "device_policy is \"%.64s\"; known are cheapest, fastest, best_fidelity",
                          spec->device_policy);
      return 0;
    }
  }
  if (spec->precision != NULL && spec->precision[0]) {
    for (int i = 0; i < 2; i++) {
      if (strcmp(spec->precision, precisions[i]) == 0) {
        out->precision = (Qubus__V1__Precision)(i + 1);
      }
    }
    if (out->precision == 0) {
      b->code = error_set(b->error, QUBUS_E_INVALID_ARGUMENT,
                          "precision is \"%.64s\"; known are double, single", spec->precision);
      return 0;
    }
  }
  return 1;
}

/// Points a repeated field at the caller's texts, none of which may be NULL.
static int32_t build_texts(
    builder *b, const char *name, const char *const *texts, uint64_t count, size_t *n_out,
    char ***out) {
  if (count == 0) return 1;
  if (texts == NULL) {
    b->code = error_set(b->error, QUBUS_E_INVALID_ARGUMENT, "%s is NULL", name);
    return 0;
  }
  for (uint64_t i = 0; i < count; i++) {
    if (texts[i] != NULL) continue;
    b->code = error_set(b->error, QUBUS_E_INVALID_ARGUMENT, "%s[%llu] is NULL", name,
                        (unsigned long long)i);
    return 0;
  }
  *out = (char **)(uintptr_t)texts;
  *n_out = count;
  return 1;
}

static Qubus__V1__JobRequest *build_request(
    builder *b, const qubus_job_spec *spec, const char *key) {
  if (spec->struct_size < offsetof(qubus_job_spec, reserved)) {
    b->code = error_set(b->error, QUBUS_E_INVALID_ARGUMENT,
                        "spec.struct_size is %u; start from QUBUS_JOB_SPEC_INIT",
                        spec->struct_size);
    return NULL;
  }
  if (spec->pub_count > 0 &&
      (spec->pubs == NULL || spec->pubs->struct_size < sizeof(qubus_pub) ||
       spec->pubs->struct_size % _Alignof(qubus_pub) != 0)) {
    b->code = error_set(b->error, QUBUS_E_INVALID_ARGUMENT,
                        "pubs is NULL or its struct_size is not that of QUBUS_PUB_INIT");
    return NULL;
  }
  Qubus__V1__JobRequest *request = allocate(b, 1, sizeof *request);
  Qubus__V1__Execution *execution = allocate(b, 1, sizeof *execution);
  Qubus__V1__Experiment *experiment = allocate(b, 1, sizeof *experiment);
  Qubus__V1__Pub **pubs = allocate(b, spec->pub_count, sizeof *pubs);
  if (request == NULL || execution == NULL || experiment == NULL || pubs == NULL) return NULL;
  qubus__v1__job_request__init(request);
  qubus__v1__experiment__init(experiment);
  request->schema_version = 1;
  request->client_job_id = text(spec->client_job_id);
  request->idempotency_key = text(key);
  request->pubs = pubs;
  request->execution = execution;
  request->experiment = experiment;
  if (!build_execution(b, spec, execution)) return NULL;
  for (uint64_t i = 0; i < spec->pub_count; i++) {
    const char *base = (const char *)spec->pubs;
    pubs[i] = build_pub(b, (const void *)(base + i * spec->pubs->struct_size), i);
    if (pubs[i] == NULL) return NULL;
  }
  request->n_pubs = spec->pub_count;
  experiment->id = text(spec->experiment_id);
  experiment->name = text(spec->name);
  experiment->experiment_class = text(spec->experiment_class);
  experiment->citation = text(spec->citation);
  uint64_t tags = spec->tags != NULL ? spec->tag_count : 0;
  if (!build_texts(b, "tags", spec->tags, tags, &experiment->n_tags, &experiment->tags) ||
      !build_texts(b, "after", spec->after, spec->after_count, &request->n_after,
                   &request->after) ||
      !build_texts(b, "after_ok", spec->after_ok, spec->after_ok_count, &request->n_after_ok,
                   &request->after_ok)) {
    return NULL;
  }
  return request;
}

int32_t spec_encode(
    const qubus_job_spec *spec, const char *key, int32_t is_plan, zmq_msg_t *out,
    qubus_error *error) {
  _Alignas(16) uint8_t buffer[2048];
  builder b = {.error = error};
  qubus_arena_init(&b.arena, buffer, sizeof buffer, SIZE_MAX / 2);
  Qubus__V1__SubmitRequest submit = QUBUS__V1__SUBMIT_REQUEST__INIT;
  Qubus__V1__PlanRequest plan = QUBUS__V1__PLAN_REQUEST__INIT;
  submit.job = plan.job = build_request(&b, spec, key);
  int32_t code = b.code;
  if (code == QUBUS_OK) code = message_encode(is_plan ? &plan.base : &submit.base, out, error);
  qubus_arena_free(&b.arena);
  return code;
}

int32_t spec_encode_batch(
    const qubus_job_spec *specs, uint64_t count, zmq_msg_t *out, qubus_error *error) {
  builder b = {.error = error};
  qubus_arena_init(&b.arena, NULL, 0, SIZE_MAX / 2);
  Qubus__V1__SubmitBatchRequest batch = QUBUS__V1__SUBMIT_BATCH_REQUEST__INIT;
  batch.jobs = allocate(&b, count, sizeof *batch.jobs);
  for (uint64_t i = 0; i < count && b.code == QUBUS_OK; i++) {
    const qubus_job_spec *spec = (const void *)((const char *)specs + i * specs->struct_size);
    char *key = spec_key(spec, error);
    char *copy = key != NULL ? allocate(&b, strlen(key) + 1, 1) : NULL;
    if (copy != NULL) strcpy(copy, key);
    free(key);
    if (copy == NULL) {
      b.code = QUBUS_E_OUT_OF_MEMORY;
      break;
    }
    batch.jobs[i] = build_request(&b, spec, copy);
    batch.n_jobs = i + 1;
  }
  int32_t code = b.code;
  if (code == QUBUS_OK) code = message_encode(&batch.base, out, error);
  qubus_arena_free(&b.arena);
  return code;
}

char *spec_key(const qubus_job_spec *spec, qubus_error *error) {
  char drawn[37];
  const char *key = spec->idempotency_key;
  if (key == NULL || key[0] == 0) {
    uint8_t r[16];
    if (getrandom(r, sizeof r, 0) != (ssize_t)sizeof r) {
      error_set(error, QUBUS_E_INVARIANT_VIOLATED, "the system gives no random numbers");
      return NULL;
    }
    r[6] = (uint8_t)((r[6] & 0x0F) | 0x40);
    r[8] = (uint8_t)((r[8] & 0x3F) | 0x80);
    snprintf(drawn, sizeof drawn,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0], r[1],
             r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13], r[14],
             r[15]);
    key = drawn;
  }
  char *copy = strdup(key);
  if (copy == NULL) error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for an idempotency key");
  return copy;
}

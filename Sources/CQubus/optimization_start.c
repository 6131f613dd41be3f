/// Starting, attaching and freeing optimizations.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optimization.h"

qubus_session *optimization_session(const qubus_optimization *optimization) {
  return optimization->session;
}

int32_t optimization_is_due(qubus_optimization *optimization) {
  return session_is_ready(optimization->session);
}

int32_t optimization_prepare(qubus_optimization *optimization) {
  if (!optimization->has_id) return QUBUS_OK;  // it was not sent yet
  qubus_call *call = optimization->call;
  Qubus__V1__OptimizeRequest request = QUBUS__V1__OPTIMIZE_REQUEST__INIT;
  request.session_id = optimization->session->id;
  request.optimization_id = optimization->id;
  request.after_iteration = optimization->last_iteration;
  zmq_msg_t packed;
  int32_t code = message_encode(&request.base, &packed, NULL);
  if (code != QUBUS_OK) return code;
  zmq_msg_move(&call->request, &packed);
  zmq_msg_close(&packed);
  call->frame_count = 0;
  return QUBUS_OK;
}

void optimization_heard(qubus_optimization *optimization, const reply *part) {
  if (optimization->has_id) return;
  uint8_t buffer[512];
  qubus_arena arena;
  ProtobufCMessage *message;
  zmq_msg_t *body = (zmq_msg_t *)(uintptr_t)&part->body;
  size_t count = zmq_msg_size(body);
  qubus_arena_init(&arena, buffer, sizeof buffer, message_budget(count));
  if (message_decode(&qubus__v1__optimize_progress__descriptor, zmq_msg_data(body), count, &arena,
                     &message, NULL) == QUBUS_OK) {
    const char *id = ((const Qubus__V1__OptimizeProgress *)(const void *)message)->optimization_id;
    if (id[0] != 0 && strlen(id) < sizeof optimization->id) {
      strcpy(optimization->id, id);
      optimization->has_id = 1;
      optimization->call->is_unrepeatable = 0;
    }
  }
  qubus_arena_free(&arena);
}

static int32_t create(
    qubus_session *session, uint64_t tag, qubus_optimization **out, qubus_error *error) {
  qubus_optimization *made = calloc(1, sizeof *made);
  if (made == NULL) {
    return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for an optimization");
  }
  made->client = session->client;
  made->session = session;
  int32_t code = call_create(session->client, call_optimize, &method_optimize, tag, &made->call,
                             error);
  if (code != QUBUS_OK) {
    free(made);
    return code;
  }
  made->call->optimization = made;
  made->call->credit = session->client->stream_credit;
  session_retain(session);
  *out = made;
  return QUBUS_OK;
}

static int32_t begin(qubus_optimization *made, qubus_optimization **out, qubus_error *error) {
  int32_t code = call_begin(made->call, time_never, error);
  if (code != QUBUS_OK) {
    qubus_optimization_free(&made);
    return code;
  }
  *out = made;
  return QUBUS_OK;
}

// The request

static int32_t add_vector(
    qubus_call *call, const double *numbers, uint64_t count, qubus_error *error) {
  zmq_msg_t *frame = &call->frames[call->frame_count];
  zmq_msg_close(frame);
  if (zmq_msg_init_size(frame, count * sizeof *numbers) != 0) {
    zmq_msg_init(frame);
    return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for an optimization");
  }
  if (count > 0) memcpy(zmq_msg_data(frame), numbers, count * sizeof *numbers);
  call->frame_count++;
  return QUBUS_OK;
}

static int32_t refuse(qubus_error *error, const char *what) {
  return error_set(error, QUBUS_E_INVALID_ARGUMENT, "%s", what);
}

static int32_t check(
    const qubus_session *session, const qubus_optimization_spec *spec, qubus_error *error) {
  if (spec == NULL) return refuse(error, "spec is NULL");
  if (spec->struct_size < offsetof(qubus_optimization_spec, reserved)) {
    return refuse(error, "spec.struct_size is not that of QUBUS_OPTIMIZATION_SPEC_INIT");
  }
  if (spec->method == NULL) return refuse(error, "spec.method is NULL");
  if (spec->initial == NULL && session->parameter_count > 0) {
    return refuse(error, "spec.initial is NULL");
  }
  if ((spec->lower == NULL) != (spec->upper == NULL)) {
    return refuse(error, "spec.lower or spec.upper is NULL: give both bounds or none");
  }
  if (spec->option_count > 0 && spec->options == NULL) {
    return refuse(error, "spec.options is NULL");
  }
  if (spec->option_count > 4096) return refuse(error, "spec.option_count is above 4096");
  for (uint64_t i = 0; i < spec->option_count; i++) {
    if (spec->options[i].name == NULL) {
      return error_set(error, QUBUS_E_INVALID_ARGUMENT, "spec.options[%llu].name is NULL",
                       (unsigned long long)i);
    }
  }
  static const char *const names[] = {"max_iterations", "max_evaluations", "max_shots"};
  const int64_t limits[] = {spec->max_iterations, spec->max_evaluations, spec->max_shots};
  for (int i = 0; i < 3; i++) {
    if (limits[i] < 0 && limits[i] != QUBUS_UNSET) {
      return error_set(error, QUBUS_E_INVALID_ARGUMENT, "spec.%s is negative", names[i]);
    }
  }
  return QUBUS_OK;
}

#define LIMIT(field, choice, CHOICE)                                                   \
  if (spec->field != QUBUS_UNSET) {                                                    \
    request.choice##_case = QUBUS__V1__OPTIMIZE_REQUEST__##CHOICE;                     \
    request.field = (uint64_t)spec->field;                                             \
  }

static int32_t encode(
    const qubus_session *session, const qubus_optimization_spec *spec, zmq_msg_t *out,
    qubus_error *error) {
  Qubus__V1__OptimizeRequest request = QUBUS__V1__OPTIMIZE_REQUEST__INIT;
  qubus_arena arena;
  uint8_t buffer[1024];
  qubus_arena_init(&arena, buffer, sizeof buffer, 1 << 20);
  Qubus__V1__NamedNumber *numbers =
      qubus_arena_allocate(&arena, spec->option_count * sizeof *numbers);
  request.options = qubus_arena_allocate(&arena, spec->option_count * sizeof *request.options);
  if (numbers == NULL || request.options == NULL) {
    qubus_arena_free(&arena);
    return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for an optimization");
  }
  for (uint64_t i = 0; i < spec->option_count; i++) {
    qubus__v1__named_number__init(&numbers[i]);
    numbers[i].name = (char *)(uintptr_t)spec->options[i].name;
    numbers[i].value = spec->options[i].value;
    request.options[request.n_options++] = &numbers[i];
  }
  request.session_id = (char *)(uintptr_t)session->id;
  request.method = (char *)(uintptr_t)spec->method;
  request.observable = spec->observable;
  request.has_bounds = spec->lower != NULL;
  LIMIT(max_iterations, iterations_choice, ITERATIONS_CHOICE_MAX_ITERATIONS)
  LIMIT(max_evaluations, evaluations_choice, EVALUATIONS_CHOICE_MAX_EVALUATIONS)
  LIMIT(max_shots, shots_limit_choice, SHOTS_LIMIT_CHOICE_MAX_SHOTS)
  if (!isnan(spec->max_seconds)) {
    request.seconds_choice_case = QUBUS__V1__OPTIMIZE_REQUEST__SECONDS_CHOICE_MAX_SECONDS;
    request.max_seconds = spec->max_seconds;
  }
  if (!isnan(spec->max_device_seconds)) {
    request.device_choice_case = QUBUS__V1__OPTIMIZE_REQUEST__DEVICE_CHOICE_MAX_DEVICE_SECONDS;
    request.max_device_seconds = spec->max_device_seconds;
  }
  if (spec->max_cost != QUBUS_UNSET) {
    request.cost_choice_case = QUBUS__V1__OPTIMIZE_REQUEST__COST_CHOICE_MAX_COST;
    request.max_cost = spec->max_cost;
  }
  request.shots = spec->shots;
  request.target_error = spec->target_error;
  if (spec->has_seed) {
    request.seed_choice_case = QUBUS__V1__OPTIMIZE_REQUEST__SEED_CHOICE_SEED;
    request.seed = spec->seed;
  }
  int32_t code = message_encode(&request.base, out, error);
  qubus_arena_free(&arena);
  return code;
}

// Public

int32_t qubus_optimization_start(
    qubus_session *session, const qubus_optimization_spec *spec, uint64_t tag,
    qubus_optimization **out, qubus_error *error) {
  if (out != NULL) *out = NULL;
  int32_t code = session_check(session, error);
  if (code != QUBUS_OK) return code;
  if (out == NULL) return refuse(error, "out is NULL");
  code = check(session, spec, error);
  qubus_optimization *made = NULL;
  if (code == QUBUS_OK) code = create(session, tag, &made, error);
  if (code != QUBUS_OK) return code;
  // Until the server has told its id, one more request could start one more.
  made->call->is_unrepeatable = 1;
  uint64_t count = session->parameter_count;
  code = encode(session, spec, &made->call->request, error);
  if (code == QUBUS_OK) code = add_vector(made->call, spec->initial, count, error);
  if (code == QUBUS_OK && spec->lower) code = add_vector(made->call, spec->lower, count, error);
  if (code == QUBUS_OK && spec->lower) code = add_vector(made->call, spec->upper, count, error);
  if (code != QUBUS_OK) {
    qubus_optimization_free(&made);
    return code;
  }
  return begin(made, out, error);
}

int32_t qubus_optimization_attach(
    qubus_session *session, const char *optimization_id, uint64_t after_iteration, uint64_t tag,
    qubus_optimization **out, qubus_error *error) {
  if (out != NULL) *out = NULL;
  int32_t code = session_check(session, error);
  if (code != QUBUS_OK) return code;
  uint8_t id[session_id_bytes];
  if (out == NULL) return refuse(error, "out is NULL");
  if (optimization_id == NULL || !session_parse_id(optimization_id, id)) {
    return refuse(error, "optimization_id is NULL or no UUID");
  }
  qubus_optimization *made;
  code = create(session, tag, &made, error);
  if (code != QUBUS_OK) return code;
  strcpy(made->id, optimization_id);
  made->has_id = 1;
  made->last_iteration = after_iteration;
  code = optimization_prepare(made);
  if (code != QUBUS_OK) {
    qubus_optimization_free(&made);
    return error_set(error, code, "no memory for an optimization");
  }
  return begin(made, out, error);
}

void qubus_optimization_free(qubus_optimization **optimization) {
  if (optimization == NULL || *optimization == NULL) return;
  qubus_optimization *freed = *optimization;
  *optimization = NULL;
  if (client_is_foreign(freed->client)) return;
  qubus_call_free(&freed->call);
  free(freed->values);
  free(freed->norms);
  free(freed->parameters);
  free(freed->best);
  free(freed->last);
  session_release(freed->session);
  free(freed);
}

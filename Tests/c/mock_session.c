/// The sessions of the mock. A program's parameters are its words "input". A step gives, for a row p
/// and the observable k: value (k + 1) · Σ p, gradient k + 1, standard error 1/8 when it has shots,
/// counts {0: shots}, and a state of ones. Steps follow the rules of the protocol: the next number,
/// or the last one with the same contents; only for the connection that opened or resumed.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "mock_server.h"

enum { sessions_maximum = 512, held_maximum = 128, batch = 7, qubits = 2 };

typedef struct mock_session {
  char key[64];
  char id[40];
  uint8_t secret[32];
  peer holder;
  int is_open, has_holder;
  uint64_t parameters, observables, last;
  uint32_t outputs;
  int64_t shots;
  uint32_t last_checksum, last_outputs;
  uint64_t restarts, evaluated_in;   ///< number of restarts when `last` was evaluated
} mock_session;

typedef struct held {
  message message;
  double *parameters;
  int is_canceled;
} held;

typedef struct optimization {
  peer who;
  uint64_t call, next, credit, sequence;
  int is_open;
  mock_session *session;
  char id[40];
} optimization;

struct mock_sessions {
  mock_session all[sessions_maximum];
  int count;
  held held[held_maximum];
  int held_count;
  optimization optimizations[64];
  int optimization_count;
  int is_canceled;
};

mock_sessions *mock_sessions_create(void) { return calloc(1, sizeof(mock_sessions)); }

static void free_held(held *h) {
  qubus__v1__envelope__free_unpacked(h->message.envelope, NULL);
  protobuf_c_message_free_unpacked(h->message.body, NULL);
  free(h->parameters);
}

void mock_sessions_destroy(mock_sessions *sessions) {
  for (int i = 0; i < sessions->held_count; i++) free_held(&sessions->held[i]);
  free(sessions);
}

void mock_sessions_disconnect(server *s) {
  mock_sessions *all = s->sessions;
  for (int i = 0; i < all->held_count; i++) free_held(&all->held[i]);
  all->held_count = 0;
  atomic_store(&s->shared.record.held, 0);
  for (int i = 0; i < all->optimization_count; i++) all->optimizations[i].is_open = 0;
  for (int i = 0; i < all->count; i++) {
    all->all[i].has_holder = 0;
    if (!s->is_same_instance) all->all[i].restarts++;
  }
}

const ProtobufCMessageDescriptor *mock_session_descriptor(const char *name) {
  static const ProtobufCMessageDescriptor *const known[] = {
      &qubus__v1__open_session_request__descriptor, &qubus__v1__step_request__descriptor,
      &qubus__v1__resume_session_request__descriptor,
      &qubus__v1__close_session_request__descriptor, &qubus__v1__get_session_request__descriptor,
      &qubus__v1__list_sessions_request__descriptor, &qubus__v1__optimize_request__descriptor,
      &qubus__v1__cancel_optimize_request__descriptor};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strcmp(known[i]->short_name, name) == 0) return known[i];
  }
  return NULL;
}

static int is_peer(const peer *a, const peer *b) {
  return a->count == b->count && memcmp(a->id, b->id, a->count) == 0;
}

static mock_session *find(server *s, const char *id) {
  for (int i = 0; i < s->sessions->count; i++) {
    if (strcmp(s->sessions->all[i].id, id) == 0) return &s->sessions->all[i];
  }
  return NULL;
}

static void fill(
    Qubus__V1__Session *out, const mock_session *session, char **names, char (*texts)[8],
    Qubus__V1__StepOutput *outputs) {
  qubus__v1__session__init(out);
  out->session_id = (char *)(uintptr_t)session->id;
  out->state = session->is_open ? QUBUS__V1__SESSION_STATE__SESSION_STATE_OPEN
                                : QUBUS__V1__SESSION_STATE__SESSION_STATE_CLOSED;
  for (uint64_t i = 0; i < session->parameters && i < 64; i++) {
    snprintf(texts[i], sizeof texts[i], "p%d", (int)i);
    names[i] = texts[i];
  }
  out->parameters = names;
  out->n_parameters = session->parameters;
  out->observable_count = (uint32_t)session->observables;
  out->qubit_count = out->bit_count = qubits;
  out->outputs = outputs;
  for (int i = 0; i < 4; i++) {
    if (session->outputs >> i & 1) outputs[out->n_outputs++] = (Qubus__V1__StepOutput)(i + 1);
  }
  out->last_sequence = session->last;
}

#define FILL(message, session)             \
  char *names_[64], texts_[64][8];         \
  Qubus__V1__StepOutput outputs_[4];       \
  Qubus__V1__Session message;              \
  fill(&message, session, names_, texts_, outputs_)

static int open_session(server *s, const message *m) {
  const Qubus__V1__OpenSessionRequest *request = (const void *)m->body;
  mock_sessions *all = s->sessions;
  atomic_fetch_add(&s->shared.record.opens, 1);
  int number = 0;
  while (number < all->count && strcmp(all->all[number].key, request->idempotency_key) != 0) {
    number++;
  }
  int is_new = number == all->count;
  mock_session *session = &all->all[number];
  if (is_new) {
    CHECK(all->count < sessions_maximum && strlen(request->idempotency_key) < 64);
    all->count++;
    atomic_fetch_add(&s->shared.record.sessions, 1);
    strcpy(session->key, request->idempotency_key);
    snprintf(session->id, sizeof session->id, "01900000-0000-7000-8001-%012d", number);
    memset(session->secret, number + 1, sizeof session->secret);
    char *program = strndup((const char *)request->program.data, request->program.len);
    for (char *at = program; (at = strstr(at, "input")) != NULL; at++) session->parameters++;
    free(program);
    session->observables = request->n_observables;
    for (size_t i = 0; i < request->n_outputs; i++) {
      session->outputs |= 1u << (request->outputs[i] - 1);
    }
    if (session->outputs == 0) session->outputs = session->observables ? 3 : 4;
    session->shots = request->shots_choice_case ? request->shots : 0;
    session->is_open = 1;
  }
  if (mock_spend(&s->shared.behaviour.lost_openings)) return 1;
  session->holder = m->who;
  session->has_holder = 1;
  FILL(told, session);
  Qubus__V1__OpenSessionResponse response = QUBUS__V1__OPEN_SESSION_RESPONSE__INIT;
  response.session = &told;
  if (is_new) response.secret = (ProtobufCBinaryData){32, session->secret};
  mock_finish(s, m, &response.base);
  return 0;
}

static void resume(server *s, const message *m) {
  const Qubus__V1__ResumeSessionRequest *request = (const void *)m->body;
  atomic_fetch_add(&s->shared.record.resumes, 1);
  if (mock_spend(&s->shared.behaviour.swallowed_resumes)) return;
  mock_session *session = find(s, request->session_id);
  if (session == NULL || !session->is_open || request->secret.len != 32 ||
      memcmp(request->secret.data, session->secret, 32) != 0) {
    mock_refuse(s, m, QUBUS_E_SESSION_NOT_FOUND, "no such session");
    return;
  }
  session->holder = m->who;
  session->has_holder = 1;
  FILL(told, session);
  Qubus__V1__ResumeSessionResponse response = QUBUS__V1__RESUME_SESSION_RESPONSE__INIT;
  response.session = &told;
  response.was_rebuilt = session->restarts > session->evaluated_in;
  // What was journaled late is lost with the instance.
  if (response.was_rebuilt && session->last > request->last_sequence) {
    session->last = request->last_sequence;
  }
  session->evaluated_in = session->restarts;
  response.next_sequence = session->last + 1;
  mock_finish(s, m, &response.base);
}

/// Answers an evaluated step.
static void answer_step(
    server *s, const message *m, const mock_session *session, const double *parameters,
    int was_repeated) {
  const Qubus__V1__StepRequest *request = (const void *)m->body;
  const Qubus__V1__AttachmentDescriptor *told = m->envelope->attachments[0];
  uint64_t rows = told->n_shape == 2 ? told->shape[0] : 1;
  uint64_t values = rows * session->observables, width = session->parameters;
  double *value = calloc(values + 1, 8), *errors = calloc(values + 1, 8);
  double *gradient = calloc(values * width + 1, 8), *state = calloc(rows * 8, 8);
  uint64_t *offsets = calloc(rows + 1, 8), *keys = calloc(rows, 8), *counts = calloc(rows, 8);
  uint64_t shots = request->shots ? request->shots : (uint64_t)session->shots;
  for (uint64_t r = 0; r < rows; r++) {
    double sum = 0;
    for (uint64_t i = 0; i < width; i++) sum += parameters[r * width + i];
    for (uint64_t k = 0; k < session->observables; k++) {
      value[r * session->observables + k] = (double)(k + 1) * sum;
      errors[r * session->observables + k] = 0.125;
      for (uint64_t i = 0; i < width; i++) {
        gradient[(r * session->observables + k) * width + i] = (double)(k + 1);
      }
    }
    offsets[r + 1] = r + 1;
    counts[r] = shots;
    for (int i = 0; i < 8; i++) state[r * 8 + (uint64_t)i] = 1;
  }
  uint32_t outputs = request->outputs ? request->outputs : session->observables ? 1 : 4;
  if (outputs & 1 && shots > 0) outputs |= 16;
  array arrays[7];
  size_t n = 0;
  if (outputs & 1) {
    arrays[n++] = (array){value, values * 8, 4, 2, {rows, session->observables}};
  }
  if (outputs & 16) {
    arrays[n++] = (array){errors, values * 8, 4, 2, {rows, session->observables}};
  }
  if (outputs & 2) {
    arrays[n++] = (array){gradient, values * width * 8, 4, 3, {rows, session->observables, width}};
  }
  if (outputs & 4) {
    arrays[n++] = (array){offsets, (rows + 1) * 8, 2, 1, {rows + 1}};
    arrays[n++] = (array){keys, rows * 8, 2, 2, {rows, 1}};
    arrays[n++] = (array){counts, rows * 8, 2, 1, {rows}};
  }
  if (outputs & 8) arrays[n++] = (array){state, rows * 64, 5, 2, {rows, 4}};
  Qubus__V1__StepResponse response = QUBUS__V1__STEP_RESPONSE__INIT;
  response.sequence = request->sequence + (uint64_t)mock_spend(&s->shared.behaviour.has_other_sequence);
  response.arrays = outputs;
  response.shots_used = shots;
  response.device_nanoseconds = 5000;
  response.was_repeated = was_repeated;
  response.norm_drift = 1e-16;
  Qubus__V1__Status ok = QUBUS__V1__STATUS__INIT;
  mock_answer(s, m, QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_FINAL, &ok, &response.base, arrays, n, 0);
  free(value), free(errors), free(gradient), free(state), free(offsets), free(keys), free(counts);
}

static mock_session *find_by_bytes(server *s, const uint8_t *bytes, size_t count) {
  CHECK(count == 16);
  char id[40];
  size_t at = 0;
  for (size_t i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) id[at++] = '-';
    at += (size_t)snprintf(id + at, 3, "%02x", bytes[i]);
  }
  return find(s, id);
}

/// What is wrong with a step's number; the order of a repeated one is compared by its checksum.
static int judge_number(mock_session *session, uint64_t sequence, uint32_t checksum, uint32_t outputs) {
  if (sequence == session->last + 1) return 0;
  if (sequence == session->last && session->last_checksum == checksum &&
      session->last_outputs == outputs) {
    return 1;
  }
  return -1;
}

static int run_step(server *s, const message *m, const double *parameters, int is_canceled) {
  mock_behaviour *b = &s->shared.behaviour;
  const Qubus__V1__StepRequest *request = (const void *)m->body;
  mock_session *session = find_by_bytes(s, request->session_id.data, request->session_id.len);
  const Qubus__V1__AttachmentDescriptor *told = m->envelope->attachments[0];
  if (session == NULL || !session->is_open) {
    mock_refuse(s, m, QUBUS_E_SESSION_NOT_FOUND, "no such session");
    return 0;
  }
  if (!session->has_holder || !is_peer(&session->holder, &m->who)) {
    mock_refuse(s, m, QUBUS_E_SESSION_HELD_ELSEWHERE, "another connection steps it");
    return 0;
  }
  int judged = judge_number(session, request->sequence, told->crc32c, request->outputs);
  if (judged < 0) {
    char why[128];
    snprintf(why, sizeof why, "number %d came, %d is next", (int)request->sequence,
             (int)session->last + 1);
    mock_refuse(s, m, QUBUS_E_STEP_OUT_OF_ORDER, why);
    return 0;
  }
  uint64_t columns = told->shape[told->n_shape - 1];
  if (columns != session->parameters) {
    mock_refuse(s, m, QUBUS_E_PARAMETER_COUNT_MISMATCH, "another number of parameters");
    return 0;
  }
  for (uint64_t i = 0; i < told->bytes / 8; i++) {
    if (isfinite(parameters[i])) continue;
    mock_refuse(s, m, QUBUS_E_INVALID_PARAMETER_VALUE, "a parameter is no finite number");
    return 0;
  }
  if (judged == 0 && mock_spend(&b->step_error)) {
    mock_refuse(s, m, QUBUS_E_EXECUTION_FAILED, "refused for the test");
    return 0;
  }
  int restarts = atomic_load(&b->restart_at_step) == (int)request->sequence;
  int drops = atomic_load(&b->drop_at_step) == (int)request->sequence;
  if (restarts) atomic_store(&b->restart_at_step, 0);
  if (drops) atomic_store(&b->drop_at_step, 0);
  if ((restarts || drops) && atomic_load(&b->is_step_lost)) return restarts ? 1 : 2;
  if (judged == 1) {
    atomic_fetch_add(&s->shared.record.repeats, 1);
  } else {
    atomic_fetch_add(&s->shared.record.evaluations, 1);
    session->last = request->sequence;
    session->last_checksum = told->crc32c;
    session->last_outputs = request->outputs;
  }
  if (restarts || drops) return restarts ? 1 : 2;
  if (!is_canceled) answer_step(s, m, session, parameters, judged);
  return 0;
}

static int step(server *s, const message *m) {
  mock_behaviour *b = &s->shared.behaviour;
  mock_sessions *all = s->sessions;
  CHECK(m->envelope->n_attachments == 1);
  atomic_fetch_add(&s->shared.record.steps, 1);
  if (mock_spend(&b->swallowed_steps)) return 0;
  if (!atomic_load(&b->holds_steps)) return run_step(s, m, m->attachments[0], 0);
  CHECK(all->held_count < held_maximum);
  held *h = &all->held[all->held_count++];
  size_t bytes = protobuf_c_message_get_packed_size(&m->envelope->base);
  uint8_t *packed = malloc(bytes + 1);
  protobuf_c_message_pack(&m->envelope->base, packed);
  h->message.who = m->who;
  h->message.envelope = qubus__v1__envelope__unpack(NULL, bytes, packed);
  free(packed);
  bytes = protobuf_c_message_get_packed_size(m->body);
  packed = malloc(bytes + 1);
  protobuf_c_message_pack(m->body, packed);
  h->message.body = protobuf_c_message_unpack(m->body->descriptor, NULL, bytes, packed);
  free(packed);
  bytes = m->envelope->attachments[0]->bytes;
  h->parameters = malloc(bytes + 1);
  memcpy(h->parameters, m->attachments[0], bytes);
  h->is_canceled = 0;
  atomic_fetch_add(&s->shared.record.held, 1);
  return 0;
}

void mock_sessions_release(server *s) {
  mock_sessions *all = s->sessions;
  atomic_store(&s->shared.behaviour.holds_steps, 0);
  int count = all->held_count;
  all->held_count = 0;
  for (int i = 0; i < count; i++) {
    held *h = &all->held[i];
    if (!h->is_canceled || i == 0) run_step(s, &h->message, h->parameters, h->is_canceled);
    free_held(h);
  }
  atomic_store(&s->shared.record.held, 0);
}

// Optimizations

static int pump(server *s, optimization *o) {
  mock_behaviour *b = &s->shared.behaviour;
  Qubus__V1__Envelope envelope = QUBUS__V1__ENVELOPE__INIT;
  envelope.call_id = o->call;
  message to = {.who = o->who, .envelope = &envelope};
  uint64_t total = (uint64_t)atomic_load(&b->iterations), width = o->session->parameters;
  int is_canceled = s->sessions->is_canceled;
  while (o->is_open && !is_canceled && o->next <= total && o->credit > 0) {
    uint64_t count = total - o->next + 1 < batch ? total - o->next + 1 : batch;
    double values[batch], norms[batch], *parameters = calloc(batch * width + 1, 8);
    for (uint64_t i = 0; i < count; i++) {
      values[i] = 1.0 / (double)(o->next + i);
      norms[i] = NAN;
      for (uint64_t k = 0; k < width; k++) parameters[i * width + k] = (double)(o->next + i + k);
    }
    array arrays[3] = {{values, count * 8, 4, 1, {count}},
                       {norms, count * 8, 4, 1, {count}},
                       {parameters, count * width * 8, 4, 2, {count, width}}};
    Qubus__V1__OptimizeProgress progress = QUBUS__V1__OPTIMIZE_PROGRESS__INIT;
    progress.optimization_id = o->id;
    progress.first_iteration = o->next;
    progress.count = count;
    progress.evaluations = 2 * (o->next + count - 1);
    o->next += count;
    int is_skipped = mock_spend(&b->skipped_batches);
    if (!is_skipped) {
      mock_answer(s, &to, QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_PARTIAL, NULL, &progress.base,
                  arrays, 3, ++o->sequence);
    }
    uint64_t bytes = protobuf_c_message_get_packed_size(&progress.base) + count * (16 + 8 * width);
    if (!is_skipped) o->credit = o->credit > bytes ? o->credit - bytes : 0;
    free(parameters);
    int limit = atomic_load(&b->restart_at_iteration);
    if (limit > 0 && o->next > (uint64_t)limit) {
      atomic_store(&b->restart_at_iteration, 0);
      return 1;
    }
  }
  if (o->is_open && (is_canceled || (o->next > total && !atomic_load(&b->is_endless)))) {
    Qubus__V1__OptimizeResponse response = QUBUS__V1__OPTIMIZE_RESPONSE__INIT;
    double *best = calloc(width + 1, 8);
    response.optimization_id = o->id;
    response.ending = (char *)(is_canceled ? "canceled" : "converged");
    response.best_value = 1.0 / (double)total;
    response.iterations = is_canceled ? o->next - 1 : total;
    array arrays[2] = {{best, width * 8, 4, 1, {width}}, {best, width * 8, 4, 1, {width}}};
    Qubus__V1__Status ok = QUBUS__V1__STATUS__INIT;
    mock_answer(s, &to, QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_FINAL, &ok, &response.base, arrays, 2,
                0);
    o->is_open = 0;
    free(best);
  }
  return 0;
}

static int optimize(server *s, const message *m) {
  const Qubus__V1__OptimizeRequest *request = (const void *)m->body;
  mock_sessions *all = s->sessions;
  mock_session *session = find(s, request->session_id);
  if (session == NULL) return mock_refuse(s, m, QUBUS_E_SESSION_NOT_FOUND, "no such session"), 0;
  if (!session->has_holder || !is_peer(&session->holder, &m->who)) {
    return mock_refuse(s, m, QUBUS_E_SESSION_HELD_ELSEWHERE, "another connection steps it"), 0;
  }
  if (request->optimization_id[0] == 0) {
    atomic_fetch_add(&s->shared.record.optimizations, 1);
    if (strcmp(request->method, "adam") != 0) {
      return mock_refuse(s, m, QUBUS_E_INVALID_OPTIMIZER, "no such method"), 0;
    }
    CHECK(m->envelope->n_attachments == (request->has_bounds ? 3 : 1));
    CHECK(m->envelope->attachments[0]->bytes == 8 * session->parameters);
  }
  CHECK(all->optimization_count < 64);
  optimization *o = &all->optimizations[all->optimization_count++];
  *o = (optimization){.who = m->who, .call = m->envelope->call_id, .session = session,
                      .next = request->after_iteration + 1,
                      .credit = m->envelope->credit_bytes, .is_open = 1};
  strcpy(o->id, request->optimization_id[0] ? request->optimization_id
                                            : "01900000-0000-7000-8002-000000000001");
  return pump(s, o);
}

void mock_session_control(server *s, const message *m, int is_cancel) {
  mock_sessions *all = s->sessions;
  for (int i = 0; i < all->held_count; i++) {
    held *h = &all->held[i];
    if (is_cancel && h->message.envelope->call_id == m->envelope->call_id &&
        is_peer(&h->message.who, &m->who)) {
      h->is_canceled = 1;
    }
  }
  for (int i = 0; i < all->optimization_count; i++) {
    optimization *o = &all->optimizations[i];
    if (!o->is_open || o->call != m->envelope->call_id || !is_peer(&o->who, &m->who)) continue;
    if (is_cancel) {
      o->is_open = 0;
    } else {
      o->credit += m->envelope->credit_bytes;
      pump(s, o);
    }
  }
}

static void cancel_optimize(server *s, const message *m) {
  mock_sessions *all = s->sessions;
  Qubus__V1__CancelOptimizeResponse response = QUBUS__V1__CANCEL_OPTIMIZE_RESPONSE__INIT;
  all->is_canceled = 1;
  for (int i = 0; i < all->optimization_count; i++) {
    if (!all->optimizations[i].is_open) continue;
    response.was_running = 1;
    pump(s, &all->optimizations[i]);
  }
  mock_finish(s, m, &response.base);
}

// The rest

static void describe(server *s, const message *m) {
  const Qubus__V1__GetSessionRequest *request = (const void *)m->body;
  mock_session *session = find(s, request->session_id);
  if (session == NULL) {
    mock_refuse(s, m, QUBUS_E_SESSION_NOT_FOUND, "no such session");
    return;
  }
  FILL(told, session);
  Qubus__V1__GetSessionResponse response = QUBUS__V1__GET_SESSION_RESPONSE__INIT;
  response.session = &told;
  mock_finish(s, m, &response.base);
}

static void close_session(server *s, const message *m) {
  const Qubus__V1__CloseSessionRequest *request = (const void *)m->body;
  mock_session *session = find(s, request->session_id);
  CHECK(session != NULL);
  atomic_fetch_add(&s->shared.record.closes, 1);
  session->is_open = 0;
  FILL(told, session);
  Qubus__V1__CloseSessionResponse response = QUBUS__V1__CLOSE_SESSION_RESPONSE__INIT;
  response.session = &told;
  mock_finish(s, m, &response.base);
}

int mock_session_call(server *s, const message *m) {
  const char *method = m->envelope->method;
  if (strcmp(method, "Step") == 0) return step(s, m);
  if (strcmp(method, "OpenSession") == 0) return open_session(s, m);
  if (strcmp(method, "Optimize") == 0) return optimize(s, m);
  if (strcmp(method, "ResumeSession") == 0) return resume(s, m), 0;
  if (strcmp(method, "CloseSession") == 0) return close_session(s, m), 0;
  if (strcmp(method, "GetSession") == 0) return describe(s, m), 0;
  if (strcmp(method, "CancelOptimize") == 0) return cancel_optimize(s, m), 0;
  if (strcmp(method, "ListSessions") == 0) {
    Qubus__V1__ListSessionsResponse response = QUBUS__V1__LIST_SESSIONS_RESPONSE__INIT;
    return mock_finish(s, m, &response.base), 0;
  }
  mock_refuse(s, m, QUBUS_E_UNKNOWN_METHOD, "unknown method");
  return 0;
}

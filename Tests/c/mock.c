#include "mock_server.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "check.h"

int mock_spend(atomic_int *counter) {
  if (atomic_load(counter) <= 0) return 0;
  atomic_fetch_sub(counter, 1);
  return 1;
}

static void bind_socket(server *s) {
  s->socket = zmq_socket(s->context, ZMQ_ROUTER);
  int zero = 0, one = 1;
  zmq_setsockopt(s->socket, ZMQ_LINGER, &zero, sizeof zero);
  zmq_setsockopt(s->socket, ZMQ_SNDHWM, &zero, sizeof zero);
  zmq_setsockopt(s->socket, ZMQ_RCVHWM, &zero, sizeof zero);
  zmq_setsockopt(s->socket, ZMQ_ROUTER_MANDATORY, &one, sizeof one);
  snprintf(s->instance, sizeof s->instance, "instance-%d", ++s->generation);
  if (s->secret_key[0]) {
    zmq_setsockopt(s->socket, ZMQ_CURVE_SERVER, &one, sizeof one);
    CHECK(zmq_setsockopt(s->socket, ZMQ_CURVE_SECRETKEY, s->secret_key, 41) == 0);
  }
  // The path is free only once the reaper has closed the socket before.
  while (zmq_bind(s->socket, s->endpoint) != 0) CHECK(zmq_errno() == EADDRINUSE);
  // A wildcard port becomes one that later sockets bind again.
  size_t size = sizeof s->endpoint;
  zmq_getsockopt(s->socket, ZMQ_LAST_ENDPOINT, s->endpoint, &size);
  s->peer_count = 0;
  memset(s->watches, 0, sizeof s->watches);
  mock_sessions_disconnect(s);
}

/// The ZAP handler (ZeroMQ RFC 27) of a CURVE mock.
static void *guard(void *argument) {
  server *s = argument;
  enum { frame_count = 7 };
  for (;;) {
    char frames[frame_count][64];
    int sizes[frame_count];
    for (int i = 0; i < frame_count; i++) {
      sizes[i] = zmq_recv(s->gate, frames[i], sizeof frames[i], 0);
      if (sizes[i] < 0) {
        CHECK(zmq_errno() == ETERM);
        zmq_close(s->gate);
        return NULL;
      }
    }
    atomic_fetch_add(&s->shared.record.handshakes, 1);
    CHECK(sizes[5] == 5 && memcmp(frames[5], "CURVE", 5) == 0 && sizes[6] == 32);
    int is_known = memcmp(frames[6], s->client_key, 32) == 0;
    char status[16];
    snprintf(status, sizeof status, "%d",
             is_known ? atomic_load(&s->shared.behaviour.gate_status) : 400);
    zmq_send(s->gate, frames[0], (size_t)sizes[0], ZMQ_SNDMORE);
    zmq_send(s->gate, frames[1], (size_t)sizes[1], ZMQ_SNDMORE);
    zmq_send(s->gate, status, strlen(status), ZMQ_SNDMORE);
    zmq_send(s->gate, "", 0, ZMQ_SNDMORE);
    zmq_send(s->gate, "client", 6, ZMQ_SNDMORE);
    zmq_send(s->gate, "", 0, 0);
  }
}

static void send_packed(server *s, const ProtobufCMessage *m, int flags, int cut) {
  size_t count = protobuf_c_message_get_packed_size(m);
  uint8_t *bytes = malloc(count + 1);
  protobuf_c_message_pack(m, bytes);
  zmq_send(s->socket, bytes, cut && count > 0 ? count - 1 : count, flags);
  free(bytes);
}

void mock_answer(
    server *s, const message *to, Qubus__V1__MessageKind kind, const Qubus__V1__Status *status,
    const ProtobufCMessage *body, const array *arrays, size_t array_count, uint64_t sequence) {
  mock_behaviour *b = &s->shared.behaviour;
  Qubus__V1__Envelope envelope = QUBUS__V1__ENVELOPE__INIT;
  Qubus__V1__AttachmentDescriptor descriptors[64], *pointers[64];
  envelope.protocol_version = 1;
  envelope.kind = kind;
  envelope.call_id = to->envelope->call_id;
  envelope.status = (Qubus__V1__Status *)(uintptr_t)status;
  envelope.stream_sequence = sequence;
  envelope.server_instance_id = s->instance;
  uint64_t shapes[64];
  for (size_t i = 0; i < array_count; i++) {
    qubus__v1__attachment_descriptor__init(&descriptors[i]);
    shapes[i] = arrays[i].bytes;
    descriptors[i].data_type = QUBUS__V1__DATA_TYPE__DATA_TYPE_UINT8;
    descriptors[i].shape = &shapes[i];
    descriptors[i].n_shape = 1;
    if (arrays[i].rank > 0) {
      descriptors[i].data_type = (Qubus__V1__DataType)arrays[i].type;
      descriptors[i].shape = (uint64_t *)(uintptr_t)arrays[i].shape;
      descriptors[i].n_shape = arrays[i].rank;
    }
    descriptors[i].bytes = arrays[i].bytes;
    descriptors[i].crc32c = qubus_crc32c(0, arrays[i].data, arrays[i].bytes);
    if (mock_spend(&b->corrupt_checksums)) descriptors[i].crc32c ^= 1;
    pointers[i] = &descriptors[i];
  }
  envelope.attachments = pointers;
  envelope.n_attachments = array_count;
  int is_hello = to->envelope->method && strcmp(to->envelope->method, "Hello") == 0;
  int cut_envelope = !is_hello && mock_spend(&b->truncated_envelopes);
  int cut_body = !is_hello && body != NULL && mock_spend(&b->truncated_bodies);
  int drop_attachment = array_count > 0 && mock_spend(&b->missing_attachments);
  int times = atomic_load(&b->has_double_finals) && kind == QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_FINAL ? 2 : 1;
  if (atomic_load(&b->has_strangers) && !is_hello) {
    Qubus__V1__Envelope stranger = envelope;
    stranger.call_id += 1000000;
    stranger.n_attachments = 0;
    zmq_send(s->socket, to->who.id, to->who.count, ZMQ_SNDMORE);
    send_packed(s, &stranger.base, ZMQ_SNDMORE, 0);
    zmq_send(s->socket, "junk", 4, 0);
  }
  while (times-- > 0) {
    if (zmq_send(s->socket, to->who.id, to->who.count, ZMQ_SNDMORE) < 0) return;
    if (atomic_load(&b->has_unknown_fields)) envelope.trace_context = (char *)"of a newer server";
    send_packed(s, &envelope.base, ZMQ_SNDMORE, cut_envelope);
    size_t frames = drop_attachment ? array_count - 1 : array_count;
    if (body != NULL) {
      send_packed(s, body, frames ? ZMQ_SNDMORE : 0, cut_body);
    } else {
      zmq_send(s->socket, "", 0, frames ? ZMQ_SNDMORE : 0);
    }
    for (size_t i = 0; i < frames; i++) {
      uint8_t *copy = malloc(arrays[i].bytes + 1);
      memcpy(copy, arrays[i].data, arrays[i].bytes);
      if (arrays[i].bytes > 0 && mock_spend(&b->corrupt_chunks)) copy[arrays[i].bytes / 2] ^= 4;
      zmq_send(s->socket, copy, arrays[i].bytes, i + 1 < frames ? ZMQ_SNDMORE : 0);
      free(copy);
    }
  }
}

void mock_finish(server *s, const message *to, const ProtobufCMessage *body) {
  Qubus__V1__Status ok = QUBUS__V1__STATUS__INIT;
  mock_answer(s, to, QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_FINAL, &ok, body, NULL, 0, 0);
}

void mock_refuse(server *s, const message *to, int32_t number, const char *why) {
  Qubus__V1__Status status = QUBUS__V1__STATUS__INIT;
  Qubus__V1__ErrorDetail detail = QUBUS__V1__ERROR_DETAIL__INIT;
  Qubus__V1__FieldViolation violation = QUBUS__V1__FIELD_VIOLATION__INIT, *violations = &violation;
  Qubus__V1__SourceLocation location = QUBUS__V1__SOURCE_LOCATION__INIT;
  violation.field = (char *)"pubs[0].shots";
  violation.explanation = (char *)"must be positive";
  violation.limit = (char *)"1";
  location.line = 3;
  location.column = 5;
  location.text = (char *)"r";
  location.excerpt = (char *)"h r[0];\n  ^";
  detail.number = number;
  detail.name = (char *)(uintptr_t)qubus_error_name(number);
  detail.message = (char *)(uintptr_t)why;
  detail.trace_id = (char *)"trace-1";
  detail.recovery = (char *)"retry";
  detail.retry_after_case = QUBUS__V1__ERROR_DETAIL__RETRY_AFTER_RETRY_AFTER_MILLISECONDS;
  detail.retry_after_milliseconds = 250;
  detail.violations = &violations;
  detail.n_violations = 1;
  detail.location = &location;
  status.code = 9;
  status.error = &detail;
  mock_answer(s, to, QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_FINAL, &status, NULL, NULL, 0, 0);
}

static void answer_hello(server *s, const message *m) {
  atomic_fetch_add(&s->shared.record.hellos, 1);
  mock_behaviour *b = &s->shared.behaviour;
  if (mock_spend(&b->swallowed_hellos)) return;
  if (mock_spend(&b->hello_refusals)) {
    mock_refuse(s, m, atomic_load(&b->hello_error), "refused for the test");
    return;
  }
  Qubus__V1__HelloResponse response = QUBUS__V1__HELLO_RESPONSE__INIT;
  response.protocol_version = (uint32_t)atomic_load(&b->protocol_version);
  response.server_version = (char *)"mock";
  Qubus__V1__KeyValue limit = QUBUS__V1__KEY_VALUE__INIT, *limits = &limit;
  limit.key = (char *)"message_bytes";
  limit.value = (char *)"1000000";
  response.limits = &limits;
  response.n_limits = 1;
  response.server_instance_id = s->instance;
  mock_finish(s, m, &response.base);
}

/// The job of an idempotency key: the same number for the same key, over restarts too.
static int job_of(server *s, const char *key, int *is_duplicate) {
  for (int i = s->key_count - 1; i >= 0 && i >= s->key_count - 2000; i--) {
    if (strcmp(s->keys[i], key) == 0) {
      *is_duplicate = 1;
      return i;
    }
  }
  *is_duplicate = 0;
  CHECK(s->key_count < keys_maximum);
  s->keys[s->key_count] = strdup(key);
  atomic_fetch_add(&s->shared.record.jobs, 1);
  return s->key_count++;
}

static void name_job(char *out, size_t capacity, int number) {
  snprintf(out, capacity, "01900000-0000-7000-8000-%012d", number);
}

static int answer_submit(server *s, const message *m) {
  mock_behaviour *b = &s->shared.behaviour;
  const Qubus__V1__SubmitRequest *request = (const void *)m->body;
  atomic_fetch_add(&s->shared.record.submits, 1);
  if (atomic_load(&b->submit_error)) {
    mock_refuse(s, m, atomic_load(&b->submit_error), "refused for the test");
    return 0;
  }
  Qubus__V1__SubmitResponse response = QUBUS__V1__SUBMIT_RESPONSE__INIT;
  Qubus__V1__Job job = QUBUS__V1__JOB__INIT;
  char id[64];
  int is_duplicate;
  name_job(id, sizeof id, job_of(s, request->job->idempotency_key, &is_duplicate));
  if (mock_spend(&b->lost_acknowledgements)) return 1;
  job.job_id = id;
  job.status = QUBUS__V1__JOB_STATUS__JOB_STATUS_QUEUED;
  response.job = &job;
  response.is_duplicate = is_duplicate;
  mock_finish(s, m, &response.base);
  return 0;
}

static void answer_batch(server *s, const message *m) {
  const Qubus__V1__SubmitBatchRequest *request = (const void *)m->body;
  Qubus__V1__SubmitBatchResponse response = QUBUS__V1__SUBMIT_BATCH_RESPONSE__INIT;
  Qubus__V1__SubmitBatchItem items[16], *pointers[16];
  Qubus__V1__Job jobs[16];
  Qubus__V1__Status bad = QUBUS__V1__STATUS__INIT;
  Qubus__V1__ErrorDetail detail = QUBUS__V1__ERROR_DETAIL__INIT;
  char ids[16][64];
  detail.number = QUBUS_E_INVALID_SHOTS;
  detail.message = (char *)"the second is refused";
  bad.code = 3;
  bad.error = &detail;
  CHECK(request->n_jobs <= 16);
  for (size_t i = 0; i < request->n_jobs; i++) {
    int is_duplicate;
    qubus__v1__submit_batch_item__init(&items[i]);
    qubus__v1__job__init(&jobs[i]);
    pointers[i] = &items[i];
    if (i == 1) {
      items[i].status = &bad;
      continue;
    }
    name_job(ids[i], sizeof ids[i], job_of(s, request->jobs[i]->idempotency_key, &is_duplicate));
    jobs[i].job_id = ids[i];
    items[i].job = &jobs[i];
  }
  response.items = pointers;
  response.n_items = request->n_jobs;
  mock_finish(s, m, &response.base);
}

static void fill_job(server *s, Qubus__V1__Job *job, const char *id) {
  qubus__v1__job__init(job);
  job->job_id = (char *)(uintptr_t)id;
  job->status = (Qubus__V1__JobStatus)atomic_load(&s->shared.behaviour.job_status);
  job->last_sequence = (uint64_t)atomic_load(&s->shared.behaviour.events);
}

/// Sends events while there is credit. Returns 1 when the server should restart now.
static int pump(server *s, watch *w) {
  mock_behaviour *b = &s->shared.behaviour;
  Qubus__V1__Envelope envelope = QUBUS__V1__ENVELOPE__INIT;
  envelope.call_id = w->call;
  message to = {.who = w->who, .envelope = &envelope};
  uint64_t last = (uint64_t)atomic_load(&b->events);
  while (w->is_open && w->next <= last && w->credit > 0) {
    Qubus__V1__JobEvent event = QUBUS__V1__JOB_EVENT__INIT;
    uint64_t sequence = w->next++;
    if (atomic_load(&b->gap_after) > 0 && sequence == (uint64_t)atomic_load(&b->gap_after) + 1 && mock_spend(&b->gaps)) {
      continue;
    }
    event.job_id = w->job;
    event.sequence = sequence;
    event.type = (char *)"status.changed";
    event.status = sequence == last ? QUBUS__V1__JOB_STATUS__JOB_STATUS_SUCCEEDED
                                    : QUBUS__V1__JOB_STATUS__JOB_STATUS_RUNNING;
    uint64_t bytes = protobuf_c_message_get_packed_size(&event.base);
    int times = atomic_load(&b->has_double_events) ? 2 : 1;
    while (times-- > 0) {
      mock_answer(s, &to, QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_PARTIAL, NULL, &event.base, NULL,
                  0, ++w->sequence);
      w->credit = w->credit > bytes ? w->credit - bytes : 0;
    }
    if (atomic_load(&b->restart_after_event) == (int)sequence) {
      atomic_store(&b->restart_after_event, 0);
      return 1;
    }
  }
  if (w->is_open && w->next > last) {
    Qubus__V1__WatchJobResponse response = QUBUS__V1__WATCH_JOB_RESPONSE__INIT;
    Qubus__V1__Job job;
    fill_job(s, &job, w->job);
    response.job = &job;
    w->is_open = 0;
    mock_finish(s, &to, &response.base);
  }
  return 0;
}

static int answer_watch(server *s, const message *m) {
  const Qubus__V1__WatchJobRequest *request = (const void *)m->body;
  atomic_fetch_add(&s->shared.record.watches, 1);
  atomic_store(&s->shared.record.resumed_after, (int)request->after_sequence);
  for (int i = 0; i < watches_maximum; i++) {
    watch *w = &s->watches[i];
    if (w->is_open) continue;
    *w = (watch){.who = m->who, .call = m->envelope->call_id, .next = request->after_sequence + 1,
                 .credit = m->envelope->credit_bytes, .is_open = 1};
    snprintf(w->job, sizeof w->job, "%s", request->job_id);
    return pump(s, w);
  }
  CHECK(!"room for another watch");
  return 0;
}

static const uint64_t count_keys[2] = {0, 3};
static const uint64_t count_values[2] = {500, 524};
static const uint64_t count_offsets[2] = {0, 2};
static double state_values[state_bytes / 8];

static void answer_result(server *s, const message *m) {
  mock_behaviour *b = &s->shared.behaviour;
  const Qubus__V1__GetResultRequest *request = (const void *)m->body;
  atomic_fetch_add(&s->shared.record.get_results, 1);
  if (mock_spend(&b->not_ready)) {
    mock_refuse(s, m, QUBUS_E_RESULT_NOT_READY, "not yet: queued");
    return;
  }
  Qubus__V1__GetResultResponse response = QUBUS__V1__GET_RESULT_RESPONSE__INIT;
  Qubus__V1__Job job;
  Qubus__V1__ErrorDetail failure = QUBUS__V1__ERROR_DETAIL__INIT;
  fill_job(s, &job, request->job_id);
  response.job = &job;
  if (job.status == QUBUS__V1__JOB_STATUS__JOB_STATUS_FAILED) {
    failure.number = QUBUS_E_DIVISION_BY_ZERO;
    failure.message = (char *)"x / 0";
    job.error = &failure;
    mock_finish(s, m, &response.base);
    return;
  }
  if (job.status == QUBUS__V1__JOB_STATUS__JOB_STATUS_EXPIRED) {
    mock_finish(s, m, &response.base);
    return;
  }
  static const struct { const char *name; const void *data; uint64_t bytes; int type; int axes; uint64_t shape[2]; } arrays[4] = {
      {"counts.keys", count_keys, 16, 2, 2, {2, 1}},
      {"counts.values", count_values, 16, 2, 1, {2, 0}},
      {"counts.offsets", count_offsets, 16, 2, 1, {2, 0}},
      {"statevector", state_values, state_bytes, 5, 2, {1, state_bytes / 16}},
  };
  Qubus__V1__ResultManifest manifest = QUBUS__V1__RESULT_MANIFEST__INIT;
  Qubus__V1__Provenance provenance = QUBUS__V1__PROVENANCE__INIT;
  Qubus__V1__PubSummary summary = QUBUS__V1__PUB_SUMMARY__INIT, *summaries = &summary;
  Qubus__V1__ResultItem items[4], *item_pointers[4];
  Qubus__V1__ResultChunkInfo infos[64], *info_pointers[64];
  Qubus__V1__ResultChunk chunks[64], *chunk_pointers[64];
  uint8_t digests[64][32];
  array data[64];
  size_t total = 0, sent = 0;
  summary.bit_count = 2;
  summary.qubit_count = 2;
  for (size_t i = 0; i < 4; i++) {
    qubus__v1__result_item__init(&items[i]);
    item_pointers[i] = &items[i];
    items[i].name = (char *)(uintptr_t)arrays[i].name;
    items[i].data_type = (Qubus__V1__DataType)arrays[i].type;
    items[i].shape = (uint64_t *)(uintptr_t)arrays[i].shape;
    items[i].n_shape = (size_t)arrays[i].axes;
    items[i].bytes = arrays[i].bytes;
    items[i].chunks = &info_pointers[total];
    for (uint64_t at = 0, k = 0; at < arrays[i].bytes; at += chunk_bytes, k++) {
      uint64_t bytes = arrays[i].bytes - at < chunk_bytes ? arrays[i].bytes - at : chunk_bytes;
      const uint8_t *start = (const uint8_t *)arrays[i].data + at;
      qubus__v1__result_chunk_info__init(&infos[total]);
      info_pointers[total] = &infos[total];
      infos[total].offset = at;
      infos[total].bytes = bytes;
      qubus_sha256_digest(start, bytes, digests[total]);
      infos[total].sha256 = (ProtobufCBinaryData){32, digests[total]};
      items[i].n_chunks++;
      int is_wanted = request->n_selection == 0 && !request->manifest_only;
      for (size_t j = 0; j < request->n_selection; j++) {
        const Qubus__V1__ResultSelection *selection = request->selection[j];
        for (size_t c = 0; c < selection->n_chunks; c++) {
          if (selection->item == i && selection->chunks[c] == k) is_wanted = 1;
        }
      }
      if (is_wanted) {
        qubus__v1__result_chunk__init(&chunks[sent]);
        chunk_pointers[sent] = &chunks[sent];
        chunks[sent].item = (uint32_t)i;
        chunks[sent].chunk = (uint32_t)k;
        chunks[sent].sha256 = infos[total].sha256;
        data[sent++] = (array){start, bytes, 1, 0, {0}};
      }
      total++;
    }
  }
  manifest.items = item_pointers;
  manifest.n_items = 4;
  manifest.pubs = &summaries;
  manifest.n_pubs = 1;
  manifest.is_partial = job.status == QUBUS__V1__JOB_STATUS__JOB_STATUS_CANCELED;
  provenance.engine = (char *)"mock";
  response.manifest = &manifest;
  response.provenance = &provenance;
  if (atomic_load(&b->is_chunked)) {
    for (size_t i = 0; i < sent; i++) {
      mock_answer(s, m, QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_PARTIAL, NULL, &chunks[i].base,
                  &data[i], 1, i + 1);
    }
    mock_finish(s, m, &response.base);
    return;
  }
  Qubus__V1__Status ok = QUBUS__V1__STATUS__INIT;
  response.inline_chunks = chunk_pointers;
  response.n_inline_chunks = sent;
  mock_answer(s, m, QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_FINAL, &ok, &response.base, data, sent,
              0);
}

/// Returns 1 when the server should restart.
static int answer_call(server *s, const message *m) {
  const char *method = m->envelope->method;
  mock_record *r = &s->shared.record;
  CHECK(m->envelope->token.len < sizeof r->token);
  if (m->envelope->token.len > 0) {
    memcpy(r->token, m->envelope->token.data, m->envelope->token.len);
  }
  r->token[m->envelope->token.len] = 0;
  snprintf(r->token_method, sizeof r->token_method, "%s", method);
  if (strcmp(method, "Hello") == 0 && r->token[0]) atomic_fetch_add(&r->hello_tokens, 1);
  if (strcmp(method, "Hello") == 0) return answer_hello(s, m), 0;
  if (mock_spend(&s->shared.behaviour.shutting_down)) {
    mock_refuse(s, m, QUBUS_E_SERVER_SHUTTING_DOWN, "stopping");
    return 0;
  }
  if (strcmp(method, "Submit") == 0) return answer_submit(s, m);
  if (strcmp(method, "SubmitBatch") == 0) return answer_batch(s, m), 0;
  if (strcmp(method, "WatchJob") == 0) return answer_watch(s, m);
  if (strcmp(method, "GetResult") == 0) return answer_result(s, m), 0;
  if (strcmp(method, "GetJob") == 0) {
    Qubus__V1__GetJobResponse response = QUBUS__V1__GET_JOB_RESPONSE__INIT;
    Qubus__V1__Job job;
    fill_job(s, &job, ((const Qubus__V1__GetJobRequest *)(const void *)m->body)->job_id);
    response.job = &job;
    return mock_finish(s, m, &response.base), 0;
  }
  if (strcmp(method, "CancelJob") == 0) {
    Qubus__V1__CancelJobResponse response = QUBUS__V1__CANCEL_JOB_RESPONSE__INIT;
    response.outcome = QUBUS__V1__CANCEL_OUTCOME__CANCEL_OUTCOME_DURING_RUN;
    response.shots_done = 77;
    return mock_finish(s, m, &response.base), 0;
  }
  if (strcmp(method, "Health") == 0) {
    Qubus__V1__HealthResponse response = QUBUS__V1__HEALTH_RESPONSE__INIT;
    response.state = QUBUS__V1__HEALTH_STATE__HEALTH_STATE_SERVING;
    response.server_instance_id = s->instance;
    return mock_finish(s, m, &response.base), 0;
  }
  if (strcmp(method, "Plan") == 0) {
    Qubus__V1__PlanResponse response = QUBUS__V1__PLAN_RESPONSE__INIT;
    response.device = (char *)"sim.statevector";
    return mock_finish(s, m, &response.base), 0;
  }
  return mock_session_call(s, m);
}

static void remember(server *s, const peer *who) {
  for (int i = 0; i < s->peer_count; i++) {
    if (s->last_peers[i].count == who->count &&
        memcmp(s->last_peers[i].id, who->id, who->count) == 0) {
      return;
    }
  }
  atomic_fetch_add(&s->shared.record.connections, 1);
  if (s->peer_count < 64) s->last_peers[s->peer_count++] = *who;
}

static int is_known(const server *s, const peer *who) {
  for (int i = 0; i < s->peer_count; i++) {
    if (s->last_peers[i].count == who->count &&
        memcmp(s->last_peers[i].id, who->id, who->count) == 0) {
      return 1;
    }
  }
  return 0;
}

static int handle(server *s, const message *m) {
  mock_record *r = &s->shared.record;
  int is_hello = strcmp(m->envelope->method, "Hello") == 0;
  if (!is_known(s, &m->who) && !is_hello) atomic_fetch_add(&r->calls_before_hello, 1);
  remember(s, &m->who);
  if (atomic_load(&s->shared.behaviour.is_silent)) {
    atomic_fetch_add(&r->unanswered, 1);
    return 0;
  }
  switch (m->envelope->kind) {
    case QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_CALL:
      return answer_call(s, m);
    case QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_PING:
      atomic_fetch_add(&r->pings, 1);
      mock_answer(s, m, QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_PONG, NULL, NULL, NULL, 0, 0);
      return 0;
    case QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_CANCEL:
    case QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_CREDIT: {
      int is_cancel = m->envelope->kind == QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_CANCEL;
      atomic_fetch_add(is_cancel ? &r->cancels : &r->credits, 1);
      mock_session_control(s, m, is_cancel);
      for (int i = 0; i < watches_maximum; i++) {
        watch *w = &s->watches[i];
        if (!w->is_open || w->call != m->envelope->call_id ||
            memcmp(w->who.id, m->who.id, m->who.count) != 0) {
          continue;
        }
        if (is_cancel) {
          w->is_open = 0;
          return 0;
        }
        w->credit += m->envelope->credit_bytes;
        return pump(s, w);
      }
      return 0;
    }
    default:
      CHECK(!"a kind that clients send");
      return 0;
  }
}

/// Receives one message; 0 when none waits.
static int receive(server *s, int *wants_restart) {
  enum { frames_maximum = 6 };
  zmq_msg_t frames[frames_maximum];
  int count = 0, more = 1;
  message m = {.body = NULL};
  while (more && count < frames_maximum) {
    zmq_msg_init(&frames[count]);
    if (zmq_msg_recv(&frames[count], s->socket, ZMQ_DONTWAIT) < 0) {
      zmq_msg_close(&frames[count]);
      CHECK(count == 0);
      return 0;
    }
    more = zmq_msg_more(&frames[count++]);
  }
  CHECK(count >= 2 && !more);
  m.who.count = zmq_msg_size(&frames[0]);
  memcpy(m.who.id, zmq_msg_data(&frames[0]), m.who.count);
  qubus_wire_limits limits = qubus_wire_limits_default();
  limits.maximum_fields = 100000;
  CHECK(qubus_wire_check(qubus_descriptor_envelope(), zmq_msg_data(&frames[1]), zmq_msg_size(&frames[1]), &limits, NULL, 0) == 0);
  m.envelope = qubus__v1__envelope__unpack(NULL, zmq_msg_size(&frames[1]), zmq_msg_data(&frames[1]));
  if (m.envelope->kind == QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_CALL) {
    char name[96];
    snprintf(name, sizeof name, "%sRequest", m.envelope->method);
    const ProtobufCMessageDescriptor *d = qubus_descriptor_named(name);
    if (d == NULL) d = mock_session_descriptor(name);
    CHECK(d != NULL && (size_t)count == 3 + m.envelope->n_attachments);
    for (int i = 3; i < count; i++) {
      const Qubus__V1__AttachmentDescriptor *told = m.envelope->attachments[i - 3];
      m.attachments[i - 3] = malloc(told->bytes + 1);
      memcpy(m.attachments[i - 3], zmq_msg_data(&frames[i]), zmq_msg_size(&frames[i]));
      uint64_t numbers = 1;
      for (size_t k = 0; k < told->n_shape; k++) numbers *= told->shape[k];
      CHECK(told->data_type == QUBUS__V1__DATA_TYPE__DATA_TYPE_FLOAT64);
      CHECK(told->bytes == zmq_msg_size(&frames[i]) && told->bytes == 8 * numbers);
      CHECK(told->crc32c == qubus_crc32c(0, zmq_msg_data(&frames[i]), told->bytes));
    }
    CHECK(qubus_wire_check(d, zmq_msg_data(&frames[2]), zmq_msg_size(&frames[2]), &limits, NULL, 0) == 0);
    m.body = protobuf_c_message_unpack(d, NULL, zmq_msg_size(&frames[2]), zmq_msg_data(&frames[2]));
  }
  *wants_restart |= handle(s, &m);
  for (int i = 0; i < 3; i++) free(m.attachments[i]);
  if (m.body) protobuf_c_message_free_unpacked(m.body, NULL);
  qubus__v1__envelope__free_unpacked(m.envelope, NULL);
  while (count > 0) zmq_msg_close(&frames[--count]);
  return 1;
}

static void send_goaway(server *s) {
  Qubus__V1__Envelope envelope = QUBUS__V1__ENVELOPE__INIT;
  envelope.protocol_version = 1;
  envelope.kind = QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_GOAWAY;
  envelope.server_instance_id = s->instance;
  for (int i = 0; i < s->peer_count; i++) {
    if (zmq_send(s->socket, s->last_peers[i].id, s->last_peers[i].count, ZMQ_SNDMORE) < 0) continue;
    send_packed(s, &envelope.base, 0, 0);
  }
}

static void *serve(void *argument) {
  server *s = argument;
  bind_socket(s);
  sem_post(&s->obeyed);
  for (;;) {
    zmq_pollitem_t items[2] = {{NULL, s->control, ZMQ_POLLIN, 0}, {s->socket, 0, ZMQ_POLLIN, 0}};
    zmq_poll(items, s->socket ? 2 : 1, -1);
    int wants_restart = 0;
    while (s->socket && !wants_restart && receive(s, &wants_restart)) continue;
    uint64_t count;
    int order = 0;
    if (read(s->control, &count, sizeof count) > 0) order = atomic_exchange(&s->order, 0);
    if (order == 4) send_goaway(s);
    if (order == 6) mock_sessions_release(s);
    if (s->socket && (wants_restart || order == 1 || order == 2 || order == 5)) {
      zmq_close(s->socket);
      s->socket = NULL;
    }
    if (wants_restart == 2) s->generation--;  // the same instance behind a new socket
    s->is_same_instance = wants_restart == 2;
    if (wants_restart || order == 1 || order == 3) bind_socket(s);
    if (order) sem_post(&s->obeyed);
    if (order == 5) return NULL;
  }
}

static void command(mock *m, int order) {
  server *s = (server *)m;
  atomic_store(&s->order, order);
  eventfd_write(s->control, 1);
  while (sem_wait(&s->obeyed) != 0) continue;
}

static mock *start(server *s, const char *endpoint) {
  snprintf(s->endpoint, sizeof s->endpoint, "%s", endpoint);
  atomic_store(&s->shared.behaviour.protocol_version, 1);
  atomic_store(&s->shared.behaviour.events, 5);
  atomic_store(&s->shared.behaviour.iterations, 20);
  s->sessions = mock_sessions_create();
  atomic_store(&s->shared.behaviour.job_status, QUBUS_JOB_SUCCEEDED);
  for (size_t i = 0; i < state_bytes / 8; i++) state_values[i] = (double)i / 8;
  s->keys = calloc(keys_maximum, sizeof *s->keys);
  s->context = zmq_ctx_new();
  s->control = eventfd(0, EFD_NONBLOCK);
  sem_init(&s->obeyed, 0, 0);
  if (s->secret_key[0]) {
    s->gate = zmq_socket(s->context, ZMQ_REP);
    CHECK(zmq_bind(s->gate, "inproc://zeromq.zap.01") == 0);
    CHECK(pthread_create(&s->gate_thread, NULL, guard, s) == 0);
  }
  CHECK(pthread_create(&s->thread, NULL, serve, s) == 0);
  while (sem_wait(&s->obeyed) != 0) continue;
  if (s->secret_key[0]) {
    snprintf(s->client_endpoint, sizeof s->client_endpoint, "curve%.200s",
             strstr(s->endpoint, "://"));
  } else {
    memcpy(s->client_endpoint, s->endpoint, sizeof s->endpoint);
  }
  return &s->shared;
}

mock *mock_start(const char *endpoint) { return start(calloc(1, sizeof(server)), endpoint); }

mock *mock_start_curve(const char *server_secret, const char *client_public) {
  server *s = calloc(1, sizeof *s);
  snprintf(s->secret_key, sizeof s->secret_key, "%s", server_secret);
  CHECK(zmq_z85_decode(s->client_key, client_public) != NULL);
  atomic_store(&s->shared.behaviour.gate_status, 200);
  return start(s, "tcp://127.0.0.1:*");
}

const char *mock_endpoint(const mock *m) { return ((const server *)(const void *)m)->client_endpoint; }

void mock_restart(mock *m) { command(m, 1); }
void mock_down(mock *m) { command(m, 2); }
void mock_up(mock *m) { command(m, 3); }
void mock_goaway(mock *m) { command(m, 4); }
void mock_release(mock *m) { command(m, 6); }

void mock_stop(mock *m) {
  server *s = (server *)m;
  command(m, 5);
  pthread_join(s->thread, NULL);
  zmq_ctx_shutdown(s->context);
  if (s->gate != NULL) pthread_join(s->gate_thread, NULL);
  zmq_ctx_term(s->context);
  for (int i = 0; i < s->key_count; i++) free(s->keys[i]);
  free(s->keys);
  mock_sessions_destroy(s->sessions);
  close(s->control);
  sem_destroy(&s->obeyed);
  free(s);
}

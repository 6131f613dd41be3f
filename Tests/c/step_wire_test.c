/// The frames of a step that are written and read by hand, against protobuf-c and the worked example
/// of proto/README.md. The fuzz test prints its seed; `step_wire_test fuzz SEED` runs it again.
#include <time.h>

#include "check.h"
#include "session.h"

static qubus_client client;
static qubus_session session;
static qubus_call call;

static step example(void) {
  static double numbers[2] = {0.5, -1};
  static const uint8_t id[16] = {0x01, 0x8f, 0x3f, 0x5e, 0x7c, 0x1a, 0x70, 0x00,
                                 0x80, 0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab};
  memcpy(session.id_bytes, id, sizeof id);
  session.client = &client;
  client.token = NULL;
  client.token_bytes = 0;
  session.parameter_count = 2;
  call.id = 3;
  call.deadline = time_never;
  return (step){.session = &session, .call = &call, .sequence = 1, .outputs = 1, .rows = 1,
                .parameters = numbers, .bytes = sizeof numbers,
                .crc32c = qubus_crc32c(0, numbers, sizeof numbers)};
}

static void a_step_is_written_as_documented(void) {
  step step = example();
  uint8_t bytes[step_envelope_capacity];
  // As in proto/README.md, but without a time-out and with a row count of its own.
  static const uint8_t envelope[] = {0x08, 0x01, 0x10, 0x01, 0x18, 0x03, 0x22, 0x04, 'S',  't',
                                     'e',  'p',  0x62, 0x0d, 0x08, 0x04, 0x12, 0x02, 0x01, 0x02,
                                     0x18, 0x10, 0x25, 0xea, 0x76, 0x74, 0x53};
  static const uint8_t body[] = {0x0a, 0x10, 0x01, 0x8f, 0x3f, 0x5e, 0x7c, 0x1a, 0x70, 0x00, 0x80,
                                 0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0x10, 0x01, 0x18, 0x01};
  CHECK(step_put_envelope(&step, bytes) == sizeof envelope);
  CHECK(memcmp(bytes, envelope, sizeof envelope) == 0);
  CHECK(step_put_request(&step, bytes) == sizeof body);
  CHECK(memcmp(bytes, body, sizeof body) == 0);
}

static void the_largest_step_fits_and_reads_back(void) {
  step step = example();
  step.sequence = step.shots = step.rows = UINT64_MAX;
  step.bytes = SIZE_MAX;
  step.outputs = step.crc32c = UINT32_MAX;
  step.target_error = -0.25;
  session.parameter_count = UINT64_MAX;
  call.id = UINT64_MAX;
  call.deadline = monotonic_now() + (monotonic)4000000 * 1000000000;
  static char token[token_maximum];
  memset(token, 'x', sizeof token);
  client.token = token;
  client.token_bytes = sizeof token;
  uint8_t bytes[step_envelope_capacity];
  size_t count = step_put_envelope(&step, bytes);
  CHECK(count <= step_envelope_capacity);
  Qubus__V1__Envelope *envelope = qubus__v1__envelope__unpack(NULL, count, bytes);
  CHECK(envelope != NULL && envelope->call_id == UINT64_MAX && envelope->n_attachments == 1);
  CHECK(envelope->timeout_milliseconds >= 3999999000u);
  CHECK(envelope->token.len == sizeof token);
  CHECK(memcmp(envelope->token.data, token, sizeof token) == 0);
  const Qubus__V1__AttachmentDescriptor *told = envelope->attachments[0];
  CHECK(told->n_shape == 2 && told->shape[0] == UINT64_MAX && told->shape[1] == UINT64_MAX);
  CHECK(told->bytes == UINT64_MAX && told->crc32c == UINT32_MAX);
  qubus__v1__envelope__free_unpacked(envelope, NULL);
  count = step_put_request(&step, bytes);
  CHECK(count <= step_request_capacity);
  Qubus__V1__StepRequest *request = qubus__v1__step_request__unpack(NULL, count, bytes);
  CHECK(request != NULL && request->sequence == UINT64_MAX && request->shots == UINT64_MAX);
  CHECK(request->outputs == UINT32_MAX && request->target_error == -0.25);
  qubus__v1__step_request__free_unpacked(request, NULL);
}

static void an_answer_is_read_as_documented(void) {
  static const uint8_t final[] = {0x08, 0x01, 0x10, 0x06, 0x18, 0x03, 0x62, 0x0d, 0x08, 0x04, 0x12,
                                  0x02, 0x01, 0x01, 0x18, 0x08, 0x25, 0x20, 0xe0, 0x65, 0x86};
  static const uint8_t body[] = {0x08, 0x01, 0x10, 0x01, 0x20, 0xd0, 0x0f};
  scanned message;
  step_facts facts;
  CHECK(step_scan_envelope(final, sizeof final, &message));
  CHECK(message.call_id == 3 && message.attachment_count == 1 && message.instance_bytes == 0);
  CHECK(message.attachments[0].rank == 2 && message.attachments[0].shape[1] == 1);
  CHECK(message.attachments[0].crc32c == 0x8665e020 && message.attachments[0].bytes == 8);
  CHECK(step_scan_response(body, sizeof body, &facts));
  CHECK(facts.sequence == 1 && facts.arrays == 1 && facts.device_nanoseconds == 2000);
}

static uint64_t state;

static uint32_t next_random(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33);
}

/// An answer of random shape, as protobuf-c writes it.
static size_t pack_answer(uint8_t *out) {
  Qubus__V1__Envelope envelope = QUBUS__V1__ENVELOPE__INIT;
  Qubus__V1__Status ok = QUBUS__V1__STATUS__INIT;
  Qubus__V1__AttachmentDescriptor described[9], *pointers[9];
  uint64_t shapes[9][3];
  envelope.protocol_version = 1;
  envelope.kind = QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_FINAL;
  envelope.call_id = next_random() >> next_random() % 31;
  if (next_random() % 2) envelope.status = &ok;
  if (next_random() % 2) envelope.server_instance_id = (char *)"instance";
  envelope.attachments = pointers;
  envelope.n_attachments = next_random() % 10;
  for (size_t i = 0; i < envelope.n_attachments; i++) {
    qubus__v1__attachment_descriptor__init(&described[i]);
    pointers[i] = &described[i];
    described[i].data_type = (Qubus__V1__DataType)(next_random() % 6);
    described[i].n_shape = next_random() % 4;
    described[i].shape = shapes[i];
    for (size_t k = 0; k < 3; k++) shapes[i][k] = next_random() >> next_random() % 31;
    described[i].bytes = next_random();
    described[i].crc32c = next_random();
  }
  CHECK(qubus__v1__envelope__get_packed_size(&envelope) <= 1024);
  return qubus__v1__envelope__pack(&envelope, out);
}

/// Whatever the scanner takes, protobuf-c reads as the same; it takes what encoders write.
static void fuzz(void) {
  uint64_t seed = state ? state : (uint64_t)time(NULL);
  printf("  seed %llu\n", (unsigned long long)seed);
  state = seed;
  uint8_t packed[1024];
  int taken = 0;
  for (int round = 0; round < 200000; round++) {
    size_t count = pack_answer(packed);
    int is_whole = round % 2;
    for (uint32_t flips = is_whole ? 0 : 1 + next_random() % 3; flips > 0; flips--) {
      packed[next_random() % count] ^= (uint8_t)(1u << next_random() % 8);
    }
    if (!is_whole && next_random() % 4 == 0) count = next_random() % count;
    // Of its exact size, so that a read beyond it is seen.
    uint8_t *data = malloc(count + 1);
    memcpy(data, packed, count);
    memmove(data + 1, data, count);
    scanned message;
    step_facts facts;
    step_scan_response(data + 1, count, &facts);
    int is_taken = step_scan_envelope(data + 1, count, &message);
    Qubus__V1__Envelope *envelope = qubus__v1__envelope__unpack(NULL, count, data + 1);
    if (is_whole) CHECK(is_taken == (envelope->n_attachments <= step_attachments_maximum));
    if (is_taken && envelope != NULL) {
      taken++;
      CHECK(envelope->kind == QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_FINAL);
      CHECK(envelope->call_id == message.call_id);
      CHECK(envelope->n_attachments == message.attachment_count);
      for (size_t i = 0; i < envelope->n_attachments; i++) {
        const Qubus__V1__AttachmentDescriptor *told = envelope->attachments[i];
        const attachment *read = &message.attachments[i];
        CHECK(told->bytes == read->bytes && told->crc32c == read->crc32c);
        CHECK(told->n_shape == read->rank);
        for (size_t k = 0; k < told->n_shape && k < 3; k++) CHECK(told->shape[k] == read->shape[k]);
      }
    }
    if (envelope != NULL) qubus__v1__envelope__free_unpacked(envelope, NULL);
    free(data);
  }
  CHECK(taken > 80000);
  state = 0;
}

int main(int argc, char **argv) {
  if (argc > 2) state = strtoull(argv[2], NULL, 10);
  RUN(a_step_is_written_as_documented);
  RUN(the_largest_step_fits_and_reads_back);
  RUN(an_answer_is_read_as_documented);
  RUN(fuzz);
  return 0;
}

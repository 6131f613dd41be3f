/// Hardened decoding, arena, checksums and JSON. The fuzz test prints its seed; `wire_test fuzz SEED`
/// runs it again.
#include <locale.h>
#include <math.h>
#include <time.h>

#include "check.h"
#include "qubus.h"
#include "qubus_wire.h"

static char detail[256];

static int32_t check(const char *name, const void *data, size_t count) {
  qubus_wire_limits limits = qubus_wire_limits_default();
  return qubus_wire_check(qubus_descriptor_named(name), data, count, &limits, detail,
                          sizeof detail);
}

static void the_codes_are_those_of_the_registry(void) {
  CHECK(QUBUS_WIRE_MALFORMED_FRAME == QUBUS_E_MALFORMED_FRAME);
  CHECK(QUBUS_WIRE_MESSAGE_TOO_LARGE == QUBUS_E_MESSAGE_TOO_LARGE);
  CHECK(QUBUS_WIRE_MESSAGE_TOO_DEEP == QUBUS_E_MESSAGE_TOO_DEEP);
  CHECK(QUBUS_WIRE_TOO_MANY_FIELDS == QUBUS_E_TOO_MANY_FIELDS);
  CHECK(QUBUS_WIRE_INVALID_UTF8 == QUBUS_E_INVALID_UTF8);
  CHECK(QUBUS_WIRE_NUL_IN_STRING == QUBUS_E_NUL_IN_STRING);
  CHECK(QUBUS_WIRE_INVALID_ENUM_VALUE == QUBUS_E_INVALID_ENUM_VALUE);
  CHECK(qubus_descriptor_named("Envelope") == qubus_descriptor_envelope());
  CHECK(qubus_descriptor_named("Nothing") == NULL);
}

/// A JobRequest with two pubs, packed.
static size_t pack_request(uint8_t *out) {
  Qubus__V1__ParameterArray array = QUBUS__V1__PARAMETER_ARRAY__INIT, *arrays = &array;
  Qubus__V1__Pub pubs[2] = {QUBUS__V1__PUB__INIT, QUBUS__V1__PUB__INIT};
  Qubus__V1__Pub *pointers[2] = {&pubs[0], &pubs[1]};
  Qubus__V1__Execution execution = QUBUS__V1__EXECUTION__INIT;
  Qubus__V1__JobRequest request = QUBUS__V1__JOB_REQUEST__INIT;
  double values[2] = {1, 2};
  Qubus__V1__OutputKind outputs[2] = {1, 5};
  array.name = (char *)"th\xC3\xA9ta";
  array.values = values;
  array.n_values = 2;
  pubs[1].parameters = &arrays;
  pubs[1].n_parameters = 1;
  pubs[1].outputs = outputs;
  pubs[1].n_outputs = 2;
  execution.priority_class = QUBUS__V1__PRIORITY_CLASS__PRIORITY_CLASS_BATCH;
  request.pubs = pointers;
  request.n_pubs = 2;
  request.execution = &execution;
  request.idempotency_key = (char *)"key";
  return qubus__v1__job_request__pack(&request, out);
}

static uint8_t *find(uint8_t *data, size_t count, const char *text) {
  uint8_t *at = memmem(data, count, text, strlen(text));
  CHECK(at != NULL);
  return at;
}

static void what_is_wrong_is_named_with_its_path(void) {
  uint8_t data[512];
  size_t count = pack_request(data);
  CHECK(check("JobRequest", data, count) == QUBUS_OK && detail[0] == 0);
  find(data, count, "ta")[0] = 0xFF;
  CHECK(check("JobRequest", data, count) == QUBUS_E_INVALID_UTF8);
  CHECK(strcmp(detail, "pubs[1].parameters[0].name: byte 4 is not valid UTF-8") == 0);
  pack_request(data);
  find(data, count, "ta")[1] = 0;
  CHECK(check("JobRequest", data, count) == QUBUS_E_NUL_IN_STRING);
  CHECK(strcmp(detail, "pubs[1].parameters[0].name: byte 5 is NUL") == 0);
  pack_request(data);
  find(data, count, "\x32\x02\x01\x05")[3] = 9;  // packed outputs
  CHECK(check("JobRequest", data, count) == QUBUS_E_INVALID_ENUM_VALUE);
  CHECK(strstr(detail, "pubs[1].outputs") != NULL && strstr(detail, "OutputKind") != NULL);
  pack_request(data);
  find(data, count, "\x2A\x02\x08\x02")[3] = 3;  // execution.priority_class
  CHECK(check("JobRequest", data, count) == QUBUS_E_INVALID_ENUM_VALUE);
  CHECK(strstr(detail, "execution.priority_class: 3 is no value of PriorityClass") == detail);
  qubus_wire_limits limits = qubus_wire_limits_default();
  limits.accept_unknown_enums = 1;
  CHECK(qubus_wire_check(qubus_descriptor_job_request(), data, count, &limits, NULL, 0) == 0);
  pack_request(data);
  limits.maximum_bytes = count - 1;
  CHECK(qubus_wire_check(qubus_descriptor_job_request(), data, count, &limits, NULL, 0) ==
        QUBUS_E_MESSAGE_TOO_LARGE);
  limits.maximum_bytes = count;
  limits.maximum_field_bytes = 5;
  CHECK(qubus_wire_check(qubus_descriptor_job_request(), data, count, &limits, detail, 20) ==
        QUBUS_E_MESSAGE_TOO_LARGE);
  CHECK(strlen(detail) == 19);
}

static void malformed_bytes_are_refused(void) {
  static const struct { const char *bytes; size_t count; } cases[] = {
      {"\x0A", 1},                      // a length is missing
      {"\x0A\x05""ab", 4},              // shorter than its length
      {"\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11},  // a length of 2^64 - 1
      {"\x00\x01", 2},                  // field number 0
      {"\x80", 1},                      // a tag that does not end
      {"\xF8\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\x00", 11},  // a tag beyond 32 bits
      {"\xF8\xB7\xA6\x90\x89\x00\x01", 7},  // a tag in six bytes
      {"\x0A\x81\x80\x80\x80\x80\x00""a", 8},  // a length in six bytes
      {"\x0B\x0C", 2},                  // a group
      {"\x0E", 1},                      // wire type 6
      {"\x08\x01", 2},                  // a varint where a string belongs
      {"\x12\x01""a", 3},               // a string where a number belongs
      {"\x10\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 12},  // a varint of eleven bytes
      {"\x10\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", 11},      // one beyond 64 bits
      {"\x7D\x01\x02", 3},              // an unknown field, cut short
      {"\x79\x01\x02\x03\x04", 5},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    CHECK(check("JobEvent", cases[i].bytes, cases[i].count) == QUBUS_E_MALFORMED_FRAME);
    CHECK(detail[0] != 0);
  }
  // A sub-message that occurs twice.
  CHECK(check("JobEvent", "\x42\x00\x42\x00", 4) == QUBUS_E_MALFORMED_FRAME);
  CHECK(strcmp(detail, "progress: occurs more than once") == 0);
  // Packed numbers that are cut short.
  CHECK(check("ParameterArray", "\x1A\x07""1234567", 9) == QUBUS_E_MALFORMED_FRAME);
  CHECK(check("ParameterArray", "\x12\x01\x80", 3) == QUBUS_E_MALFORMED_FRAME);
  // Unknown fields of every wire type pass.
  CHECK(check("HealthRequest", "\x08\x01\x12\x02zz\x1D""1234\x21""12345678", 20) == QUBUS_OK);
  CHECK(check("HealthRequest", NULL, 0) == QUBUS_OK);
}

static void bombs_are_refused_before_memory_is_taken(void) {
  // No message of the protocol contains itself, so that depth ends by the schema; a lower limit
  // shows that it is counted.
  uint8_t data[512];
  size_t count = pack_request(data);
  qubus_wire_limits limits = qubus_wire_limits_default();
  limits.maximum_depth = 3;
  CHECK(qubus_wire_check(qubus_descriptor_job_request(), data, count, &limits, NULL, 0) == 0);
  limits.maximum_depth = 2;
  CHECK(qubus_wire_check(qubus_descriptor_job_request(), data, count, &limits, detail,
                         sizeof detail) == QUBUS_E_MESSAGE_TOO_DEEP);
  CHECK(strstr(detail, "pubs[1].parameters[0]") == detail);
  // 34 kB of nesting inside an unknown field is a string of bytes to the walk.
  static uint8_t nest[34000];
  size_t at = sizeof nest;
  while (at > 8) {
    size_t inner = sizeof nest - at;
    uint8_t head[8];
    size_t n = 0;
    head[n++] = 0x0A;
    do {
      head[n++] = (uint8_t)((inner & 0x7F) | (inner > 0x7F ? 0x80 : 0));
      inner >>= 7;
    } while (inner > 0);
    if (at < n) break;
    at -= n;
    memcpy(nest + at, head, n);
  }
  CHECK(check("HealthRequest", nest + at, sizeof nest - at) == QUBUS_OK);
  CHECK(check("SubmitBatchRequest", nest + at, sizeof nest - at) != QUBUS_OK);
  static uint8_t many[2 * 4097];
  for (size_t i = 0; i < sizeof many; i += 2) many[i] = 0x0A;  // SubmitBatchRequest.jobs, empty
  CHECK(check("SubmitBatchRequest", many, 2 * 4096) == QUBUS_OK);
  CHECK(check("SubmitBatchRequest", many, 2 * 4097) == QUBUS_E_TOO_MANY_FIELDS);
  CHECK(strcmp(detail, "more than 4096 fields") == 0);
  // What passes the walk still meets the arena's budget.
  qubus_arena arena;
  qubus_arena_init(&arena, NULL, 0, 10000);
  CHECK(protobuf_c_message_unpack(qubus_descriptor_submit_batch_request(),
                                  qubus_arena_allocator(&arena), 2 * 4096, many) == NULL);
  CHECK(arena.is_exhausted && arena.used <= 10000);
  qubus_arena_free(&arena);
}

static void utf8_is_judged_as_unicode_says(void) {
  static const struct { const char *bytes; size_t count, offset; } cases[] = {
      {"abc", 3, SIZE_MAX}, {"\xC3\xA9", 2, SIZE_MAX}, {"\xE2\x82\xAC", 3, SIZE_MAX},
      {"\xF0\x9F\x98\x80", 4, SIZE_MAX}, {"\xF4\x8F\xBF\xBF", 4, SIZE_MAX},
      {"a\x80", 2, 1}, {"\xC0\x80", 2, 0}, {"\xC1\xBF", 2, 0}, {"\xE0\x80\x80", 3, 0},
      {"\xED\xA0\x80", 3, 0}, {"\xF0\x80\x80\x80", 4, 0}, {"\xF4\x90\x80\x80", 4, 0},
      {"\xF5\x80\x80\x80", 4, 0}, {"xx\xE2\x82", 4, 2}, {"12345678\xFF", 9, 8},
      {"1234567\xC3\xA9""12345678", 17, SIZE_MAX}, {"\xED\x9F\xBF", 3, SIZE_MAX},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    CHECK(qubus_wire_invalid_utf8_offset((const uint8_t *)cases[i].bytes, cases[i].count) ==
          cases[i].offset);
  }
}

static uint64_t state;

static uint32_t next_random(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33);
}

/// Whatever passes the check unpacks within its budget, renders, and packs again.
static void examine(const ProtobufCMessageDescriptor *d, const uint8_t *data, size_t count) {
  qubus_wire_limits limits = qubus_wire_limits_default();
  if (qubus_wire_check(d, data, count, &limits, detail, sizeof detail) != QUBUS_OK) {
    CHECK(detail[0] != 0);
    return;
  }
  qubus_arena arena;
  uint8_t buffer[1024];
  qubus_arena_init(&arena, buffer, sizeof buffer, count * 80 + 65536);
  ProtobufCMessage *message =
      protobuf_c_message_unpack(d, qubus_arena_allocator(&arena), count, data);
  CHECK(message != NULL);
  qubus_json json;
  qubus_json_init(&json);
  qubus_json_append(&json, message);
  CHECK(json.count >= 2 && json.data[json.count - 1] == '}');
  CHECK(qubus_wire_invalid_utf8_offset((const uint8_t *)json.data, json.count) == SIZE_MAX);
  qubus_json_free(&json);
  size_t packed = protobuf_c_message_get_packed_size(message);
  uint8_t *again = malloc(packed + 1);
  CHECK(protobuf_c_message_pack(message, again) == packed);
  free(again);
  qubus_arena_free(&arena);
}

static void fuzz(void) {
  static const char *const names[] = {"Envelope", "JobRequest", "SubmitBatchRequest", "JobEvent",
                                      "GetResultResponse", "ListJobsRequest"};
  uint64_t seed = state ? state : (uint64_t)time(NULL);
  printf("  seed %llu\n", (unsigned long long)seed);
  state = seed;
  uint8_t data[600];
  for (int round = 0; round < 200000; round++) {
    size_t count = pack_request(data);
    const ProtobufCMessageDescriptor *d = qubus_descriptor_named("JobRequest");
    if (round % 2) {
      d = qubus_descriptor_named(names[next_random() % 6]);
      count = next_random() % 64;
      for (size_t i = 0; i < count; i++) data[i] = (uint8_t)next_random();
    } else {
      for (uint32_t flips = next_random() % 4; flips > 0; flips--) {
        data[next_random() % count] ^= (uint8_t)(1u << next_random() % 8);
      }
      if (next_random() % 4 == 0) count = next_random() % count;
    }
    examine(d, data, count);
  }
  state = 0;
}

static void the_arena_keeps_its_budget(void) {
  uint8_t buffer[100];
  qubus_arena arena;
  qubus_arena_init(&arena, buffer + 1, sizeof buffer - 1, 100000);
  for (int round = 0; round < 3; round++) {
    size_t total = 0;
    void *last = NULL;
    for (size_t size = 0; size < 300; size++) {
      uint8_t *p = qubus_arena_allocate(&arena, size);
      CHECK(p != NULL && p != last && (uintptr_t)p % 16 == 0);
      memset(p, 0xAA, size);
      total += size;
      last = p;
    }
    CHECK(arena.used >= total && arena.used <= arena.budget);
    CHECK(qubus_arena_allocate(&arena, 60000) == NULL && arena.is_exhausted);
    qubus_arena_reset(&arena);
    CHECK(arena.used == 0 && !arena.is_exhausted);
  }
  CHECK(qubus_arena_allocate(&arena, SIZE_MAX) == NULL);
  qubus_arena_free(&arena);
  qubus_arena *heap = qubus_arena_create(64);
  CHECK(qubus_arena_allocate(heap, 64) != NULL && qubus_arena_allocate(heap, 1) == NULL);
  qubus_arena_destroy(heap);
  qubus_arena_destroy(NULL);
}

static void checksums_match_known_answers(void) {
  CHECK(qubus_crc32c(0, "123456789", 9) == 0xE3069283);
  uint8_t zeros[32] = {0};
  CHECK(qubus_crc32c(0, zeros, 32) == 0x8A9136AA);
  CHECK(qubus_crc32c(qubus_crc32c(0, "1234", 4), "56789", 5) == 0xE3069283);
  CHECK(qubus_crc32c(0, NULL, 0) == 0);
  static const uint8_t abc[32] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                  0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                  0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
  static const uint8_t empty[4] = {0xe3, 0xb0, 0xc4, 0x42};
  static const uint8_t million[4] = {0xcd, 0xc7, 0x6e, 0x5c};
  uint8_t digest[32];
  qubus_sha256_digest("abc", 3, digest);
  CHECK(memcmp(digest, abc, 32) == 0);
  qubus_sha256_digest(NULL, 0, digest);
  CHECK(memcmp(digest, empty, 4) == 0);
  char *a = malloc(1000000);
  memset(a, 'a', 1000000);
  qubus_sha256_digest(a, 1000000, digest);
  CHECK(memcmp(digest, million, 4) == 0);
  // Pieces of any size give the same digest, and the processor's instructions the plain one's.
  qubus_sha256 hash;
  qubus_sha256_init(&hash);
  for (size_t at = 0, step = 1; at < 1000000; at += step, step = step % 200 + 1) {
    if (step > 1000000 - at) step = 1000000 - at;
    qubus_sha256_update(&hash, a + at, step);
  }
  uint8_t pieces[32];
  qubus_sha256_final(&hash, pieces);
  CHECK(memcmp(pieces, digest, 32) == 0);
  uint32_t plain[8] = {1, 2, 3, 4, 5, 6, 7, 8}, fast[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  for (int i = 0; i < 640; i++) a[i] = (char)(i * 7);
  qubus_sha256_choose(1)(plain, (const uint8_t *)a, 10);
  qubus_sha256_choose(0)(fast, (const uint8_t *)a, 10);
  CHECK(memcmp(plain, fast, sizeof plain) == 0);
  free(a);
}

static void check_double(double value, const char *expected) {
  qubus_json json;
  qubus_json_init(&json);
  qubus_json_append_double(&json, value);
  if (strcmp(json.data, expected) != 0) fprintf(stderr, "%s, not %s\n", json.data, expected);
  CHECK(strcmp(json.data, expected) == 0);
  qubus_json_free(&json);
}

static void json_follows_its_rules(void) {
  check_double(0.1, "0.1");
  check_double(1, "1.0");
  check_double(-0.0, "-0.0");
  check_double(1.0 / 3, "0.3333333333333333");
  check_double(1e300, "1e+300");
  check_double(5e-324, "4.94065645841247e-324");
  check_double(NAN, "null");
  check_double(-INFINITY, "null");
  if (setlocale(LC_NUMERIC, "de_DE.UTF-8") != NULL) check_double(0.25, "0.25");
  setlocale(LC_NUMERIC, "C");
  qubus_json json;
  qubus_json_init(&json);
  qubus_json_append_string(&json, "a\"\\\n\t\x01\xFFz", 8);
  CHECK(strcmp(json.data, "\"a\\\"\\\\\\n\\t\\u0001\xEF\xBF\xBDz\"") == 0);
  qubus_json_free(&json);
  Qubus__V1__Job job = QUBUS__V1__JOB__INIT;
  job.status = QUBUS__V1__JOB_STATUS__JOB_STATUS_PROCESSING_RESULTS;
  job.seed = UINT64_MAX;
  job.submitted_at = INT64_MIN;
  job.queue_position_choice_case = QUBUS__V1__JOB__QUEUE_POSITION_CHOICE_QUEUE_POSITION;
  job.queue_position = 0;
  qubus_json_append(&json, &job.base);
  CHECK(strstr(json.data, "\"status\":\"processing_results\",\"reason\":\"\"") != NULL);
  CHECK(strstr(json.data, "\"seed\":18446744073709551615") != NULL);
  CHECK(strstr(json.data, "\"submitted_at\":-9223372036854775808") != NULL);
  CHECK(strstr(json.data, "\"queue_position\":0") != NULL && strstr(json.data, "\"tags\":[]"));
  CHECK(strstr(json.data, "estimated_start_at") == NULL && strstr(json.data, "phases") == NULL);
  qubus_json_free(&json);
  Qubus__V1__ResultItem item = QUBUS__V1__RESULT_ITEM__INIT;
  uint8_t hash[3] = {0, 0xAB, 0xFF};
  uint64_t shape[2] = {2, 3};
  item.sha256 = (ProtobufCBinaryData){3, hash};
  item.shape = shape;
  item.n_shape = 2;
  item.data_type = (Qubus__V1__DataType)99;
  qubus_json_append(&json, &item.base);
  CHECK(strcmp(json.data, "{\"name\":\"\",\"pub\":0,\"data_type\":99,\"shape\":[2,3],\"bytes\":0,"
                          "\"sha256\":\"00abff\",\"chunks\":[],\"measurement_basis\":\"\"}") == 0);
  json.count = 0;
  item.data_type = QUBUS__V1__DATA_TYPE__DATA_TYPE_UNSPECIFIED;
  qubus_json_append(&json, &item.base);
  CHECK(strstr(json.data, "\"data_type\":null") != NULL);
  json.count = 0;
  Qubus__V1__HealthRequest none = QUBUS__V1__HEALTH_REQUEST__INIT;
  qubus_json_append(&json, &none.base);
  CHECK(strcmp(json.data, "{}") == 0);
  qubus_json_free(&json);
}

int main(int argc, char **argv) {
  if (argc > 2) state = strtoull(argv[2], NULL, 10);
  RUN(the_codes_are_those_of_the_registry);
  RUN(what_is_wrong_is_named_with_its_path);
  RUN(malformed_bytes_are_refused);
  RUN(bombs_are_refused_before_memory_is_taken);
  RUN(utf8_is_judged_as_unicode_says);
  RUN(fuzz);
  RUN(the_arena_keeps_its_budget);
  RUN(checksums_match_known_answers);
  RUN(json_follows_its_rules);
  return 0;
}

/// Messages from JSON: what is taken, what is refused and how it is told, hostile input. The random
/// tests print their seed; `json_test random_messages SEED` runs them again.
#include <locale.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include "check.h"
#include "qubus_wire.h"

static char detail[512];

/// Reads `text` in memory of its exact size, so that a read beyond it is seen.
static int32_t read_text(
    const ProtobufCMessageDescriptor *descriptor, const char *text, size_t count,
    qubus_arena *arena, ProtobufCMessage **out) {
  char *exact = malloc(count + 1);
  memcpy(exact + 1, text, count);
  int32_t code =
      qubus_json_read(descriptor, exact + 1, count, arena, out, detail, sizeof detail);
  free(exact);
  CHECK((code == QUBUS_WIRE_OK) == (*out != NULL));
  CHECK(code == QUBUS_WIRE_OK || code == QUBUS_WIRE_INVALID_ARGUMENT);
  CHECK((code == QUBUS_WIRE_OK) == (detail[0] == 0));
  return code;
}

/// What the message of `text` is written as; NULL when it is refused. Free it.
static char *rewritten(const ProtobufCMessageDescriptor *descriptor, const char *text, size_t count) {
  qubus_arena arena;
  qubus_arena_init(&arena, NULL, 0, count * 80 + 65536);
  ProtobufCMessage *message;
  qubus_json json;
  qubus_json_init(&json);
  if (read_text(descriptor, text, count, &arena, &message) == QUBUS_WIRE_OK) {
    qubus_json_append(&json, message);
  }
  qubus_arena_free(&arena);
  return json.data;
}

static void becomes(
    const ProtobufCMessageDescriptor *descriptor, const char *text, const char *expected) {
  char *told = rewritten(descriptor, text, strlen(text));
  if (told == NULL || strstr(told, expected) == NULL) {
    fprintf(stderr, "%s\n  became %s (%s)\n", text, told ? told : "nothing", detail);
  }
  CHECK(told != NULL && strstr(told, expected) != NULL);
  free(told);
}

static void refused(
    const ProtobufCMessageDescriptor *descriptor, const char *text, const char *expected) {
  char *told = rewritten(descriptor, text, strlen(text));
  if (told != NULL || strcmp(detail, expected) != 0) {
    fprintf(stderr, "%s\n  gave %s (%s)\n", text, told ? told : "nothing", detail);
  }
  CHECK(told == NULL && strcmp(detail, expected) == 0);
}

#define SUBMIT qubus_descriptor_submit_request()
#define LIST qubus_descriptor_list_jobs_request()
#define JOB qubus_descriptor_job()

static void every_type_is_read(void) {
  becomes(LIST, "{}", "{\"statuses\":[],\"page_size\":0");
  becomes(LIST, " \t\r\n{ \"page_size\" : 4294967295 , \"name\":\"x\" } ", "\"page_size\":4294967295");
  becomes(LIST, "{\"statuses\":[\"running\",\"JOB_STATUS_QUEUED\",\"processing_results\"]}",
          "[\"running\",\"queued\",\"processing_results\"]");
  becomes(LIST, "{\"statuses\":null,\"name\":null}", "\"statuses\":[]");
  becomes(SUBMIT, "{\"job\":{\"execution\":{\"seed\":18446744073709551615}}}",
          "\"seed\":18446744073709551615");
  becomes(SUBMIT, "{\"job\":{\"execution\":{\"seed\":\"18446744073709551615\"}}}",
          "\"seed\":18446744073709551615");
  becomes(SUBMIT, "{\"job\":{\"execution\":{\"max_cost\":-9223372036854775808}}}",
          "\"max_cost\":-9223372036854775808");
  becomes(SUBMIT, "{\"job\":{\"execution\":{\"max_cost\":-0}}}", "\"max_cost\":0");
  becomes(SUBMIT, "{\"job\":{\"execution\":{\"seed\":null}}}", "\"execution\":{");
  becomes(SUBMIT, "{\"job\":{\"execution\":{\"max_error\":-1.25e-3}}}", "\"max_error\":-0.00125");
  becomes(SUBMIT, "{\"job\":{\"execution\":{\"allow_simulator_fallback\":true}}}",
          "\"allow_simulator_fallback\":true");
  becomes(SUBMIT, "{\"job\":{\"pubs\":[{\"program\":\"00fFAb\"},{\"program\":\"\"}]}}",
          "\"program\":\"00ffab\"");
  becomes(qubus_descriptor_error_detail(), "{\"number\":-2147483648}", "\"number\":-2147483648");
}

static void strings_are_decoded(void) {
  becomes(LIST, "{\"name\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\uD83D\\uDE00\"}",
          "\"name\":\"\\\"\\\\/\\u0008\\u000c\\n\\r\\tA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"");
  becomes(LIST, "{\"\\u006eame\":\"\xF0\x9F\x98\x80\"}", "\"name\":\"\xF0\x9F\x98\x80\"");
  static const char *const bad[] = {"\\u0000",       "\\uD83D",  "\\uDE00", "\\uD83D\\u0041",
                                    "\\uD83Dx",      "\\u00e",   "\\u00eg", "\\x41",
                                    "\\u-001",       "\\uD83D\\u", "\\u+041"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    char text[64];
    int n = snprintf(text, sizeof text, "{\"name\":\"%s\"}", bad[i]);
    CHECK(rewritten(LIST, text, (size_t)n) == NULL && strstr(detail, "name: a string") == detail);
  }
  refused(LIST, "{\"name\":\"a\xFF\"}", "name: a string is not UTF-8, at byte 12 of the JSON");
  refused(LIST, "{\"name\":\"\xED\xA0\x80\"}", "name: a string is not UTF-8, at byte 13 of the JSON");
  refused(LIST, "{\"name\":\"a\nb\"}",
          "name: a control character stands in a string, at byte 10 of the JSON");
  CHECK(rewritten(LIST, "{\"name\":\"a\0b\"}", 14) == NULL);
}

static void wrong_values_name_their_field(void) {
  refused(LIST, "{\"page_size\":-1}",
          "page_size: a whole number from 0 to 4294967295 is expected");
  refused(LIST, "{\"page_size\":4294967296}",
          "page_size: a whole number from 0 to 4294967295 is expected");
  refused(LIST, "{\"page_size\":1.0}",
          "page_size: a whole number from 0 to 4294967295 is expected");
  refused(LIST, "{\"page_size\":1e2}",
          "page_size: a whole number from 0 to 4294967295 is expected");
  refused(LIST, "{\"page_size\":\"5\"}", "page_size: a whole number is expected, at byte 13 of the JSON");
  refused(LIST, "{\"name\":5}", "name: a string is expected, at byte 8 of the JSON");
  refused(LIST, "{\"tags\":\"a\"}", "tags: a list is expected, at byte 8 of the JSON");
  refused(LIST, "{\"tags\":[\"a\",null]}", "tags[1]: a string is expected, at byte 13 of the JSON");
  refused(LIST, "{\"tags\":[[\"a\"]]}", "tags[0]: a string is expected, at byte 9 of the JSON");
  refused(LIST, "{\"name\":\"a\",\"name\":\"b\"}", "name: it is given twice");
  refused(LIST, "{\"name\":null,\"name\":\"b\"}", "name: it is given twice");
  refused(LIST, "{\"Name\":\"a\"}", "ListJobsRequest has no field \"Name\"");
  refused(LIST, "{\"\":1}", "ListJobsRequest has no field of the name that it gives");
  refused(LIST, "{\"page_size\\u0000\":1}",
          "a string holds an escape that is no character, or U+0000, at byte 18 of the JSON");
  refused(SUBMIT, "{\"job\":{\"execution\":{\"seed\":\"18446744073709551616\"}}}",
          "job.execution.seed: a whole number from 0 to 18446744073709551615 is expected");
  refused(SUBMIT, "{\"job\":{\"execution\":{\"seed\":\"\"}}}",
          "job.execution.seed: a whole number from 0 to 18446744073709551615 is expected");
  refused(SUBMIT, "{\"job\":{\"execution\":{\"seed\":\"01\"}}}",
          "job.execution.seed: a whole number from 0 to 18446744073709551615 is expected");
  refused(SUBMIT, "{\"job\":{\"execution\":{\"max_cost\":9223372036854775808}}}",
          "job.execution.max_cost: a whole number from -9223372036854775808 to "
          "9223372036854775807 is expected");
  refused(SUBMIT, "{\"job\":{\"execution\":{\"max_error\":1e999}}}",
          "job.execution.max_error: the number is larger than its type holds, 1.79769e+308");
  refused(SUBMIT, "{\"job\":{\"execution\":{\"max_error\":\"1\"}}}",
          "job.execution.max_error: a number is expected, at byte 33 of the JSON");
  refused(SUBMIT, "{\"job\":{\"pubs\":[{},{\"program\":\"abc\"}]}}",
          "job.pubs[1].program: bytes are expected, as an even number of hex digits");
  refused(SUBMIT, "{\"job\":{\"pubs\":[{\"program\":\"0g\"}]}}",
          "job.pubs[0].program: bytes are expected, as an even number of hex digits");
  refused(SUBMIT, "{\"job\":[]}", "job: an object is expected, at byte 7 of the JSON");
  refused(SUBMIT, "{\"job\":{\"execution\":{\"allow_simulator_fallback\":1}}}",
          "job.execution.allow_simulator_fallback: true or false is expected, at byte 48 of the JSON");
  refused(LIST, "{\"statuses\":[\"flying\"]}",
          "statuses[0]: one of accepted, queued, reserved, running, processing_results, succeeded, "
          "failed, canceled, expired is expected");
  refused(LIST, "{\"statuses\":[4]}", "statuses[0]: a string is expected, at byte 13 of the JSON");
}

static void what_is_no_json_is_refused(void) {
  static const char *const bad[] = {
      "", " ", "{", "}", "[]", "null", "\"\"", "5", "{\"name\"", "{\"name\":", "{\"name\":\"a\"",
      "{\"name\":\"a\",}", "{\"name\":\"a\"}x", "{}{}", "{,}", "{\"name\" \"a\"}", "{name:\"a\"}",
      "{'name':'a'}", "{\"page_size\":01}", "{\"page_size\":+1}", "{\"page_size\":.5}",
      "{\"page_size\":1.}", "{\"page_size\":1e}", "{\"page_size\":-}", "{\"page_size\":0x1}",
      "{\"page_size\":NaN}", "{\"tags\":[\"a\",]}", "{\"tags\":[\"a\"", "{\"tags\":[", "{\"tags\":]}",
      "{\"name\":\"a", "{\"name\":\"a\\", "{\"name\":\"a\\\"}", "{\"name\":nul}", "{\"name\":nullx}",
      "\xEF\xBB\xBF{}", "{/**/}"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    char *told = rewritten(LIST, bad[i], strlen(bad[i]));
    if (told != NULL) fprintf(stderr, "%s became %s\n", bad[i], told);
    CHECK(told == NULL);
  }
}

static void no_value_is_told(void) {
  static const char *const texts[] = {
      "{\"secretsecretsecretsecretsecretsecretsecretsecret\":1}",
      "{\"se cret\":1}", "{\"page_size\":\"secret\"}", "{\"statuses\":[\"secret\"]}",
      "{\"name\":\"secret\\x\"}", "{\"name\":\"secret", "{\"page_size\":secret}", "secret",
      "{\"name\":\"a\"}secret"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    CHECK(rewritten(LIST, texts[i], strlen(texts[i])) == NULL);
    CHECK(strstr(detail, "secret") == NULL && detail[0] != 0);
  }
}

// Limits

static void the_text_is_bounded_in_depth_and_memory(void) {
  // No message of proto/ contains itself, so that a depth beyond its types is an unknown field.
  static char deep[200000];
  memset(deep, '[', sizeof deep);
  memcpy(deep, "{\"tags\":", 8);
  CHECK(rewritten(LIST, deep, sizeof deep) == NULL);
  memset(deep, '{', sizeof deep);
  CHECK(rewritten(LIST, deep, sizeof deep) == NULL);
  qubus_arena arena;
  qubus_arena_init(&arena, NULL, 0, 100000);
  ProtobufCMessage *message;
  static char many[100001];
  memcpy(many, "{\"tags\":[", 9);
  size_t count = 9;
  while (count + 4 < sizeof many) {
    memcpy(many + count, count == 9 ? "\"\" " : ",\"\"", 3);
    count += 3;
  }
  memcpy(many + count, "]}", 2);
  CHECK(read_text(LIST, many, count + 2, &arena, &message) == QUBUS_WIRE_INVALID_ARGUMENT);
  CHECK(strstr(detail, "more memory than one of its length may") != NULL);
  qubus_arena_free(&arena);
  // Without room for the reason it is refused all the same.
  qubus_arena_init(&arena, NULL, 0, 100000);
  CHECK(qubus_json_read(LIST, "x", 1, &arena, &message, NULL, 0) == QUBUS_WIRE_INVALID_ARGUMENT);
  char one[1] = {'x'};
  CHECK(qubus_json_read(LIST, "x", 1, &arena, &message, one, 1) == QUBUS_WIRE_INVALID_ARGUMENT);
  CHECK(one[0] == 0);
  qubus_arena_free(&arena);
}

/// A message with itself and a oneof of two members, which none of proto/ has.
typedef struct nested {
  ProtobufCMessage base;
  struct nested *inner;
  uint32_t choice;
  union {
    int64_t count;
    char *name;
  };
} nested;

static const ProtobufCMessageDescriptor nested_descriptor;
static const ProtobufCFieldDescriptor nested_fields[] = {
    {"inner", 1, PROTOBUF_C_LABEL_NONE, PROTOBUF_C_TYPE_MESSAGE, 0, offsetof(nested, inner),
     &nested_descriptor, NULL, 0, 0, NULL, NULL},
    {"count", 2, PROTOBUF_C_LABEL_NONE, PROTOBUF_C_TYPE_INT64, offsetof(nested, choice),
     offsetof(nested, count), NULL, NULL, PROTOBUF_C_FIELD_FLAG_ONEOF, 0, NULL, NULL},
    {"name", 3, PROTOBUF_C_LABEL_NONE, PROTOBUF_C_TYPE_STRING, offsetof(nested, choice),
     offsetof(nested, name), NULL, NULL, PROTOBUF_C_FIELD_FLAG_ONEOF, 0, NULL, NULL}};
static void nested_init(ProtobufCMessage *message) {
  memset(message, 0, sizeof(nested));
  message->descriptor = &nested_descriptor;
}

static const unsigned nested_by_name[] = {1, 0, 2};
static const ProtobufCIntRange nested_ranges[] = {{1, 0}, {0, 3}};
static const ProtobufCMessageDescriptor nested_descriptor = {
    PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC, "test.Nested", "Nested", "Nested", "test",
    sizeof(nested), 3, nested_fields, nested_by_name, 1, nested_ranges, nested_init, NULL, NULL, NULL};

static void nesting_ends_at_32_levels(void) {
  char text[2048];
  for (int levels = 31; levels <= 33; levels++) {
    size_t count = 0;
    for (int i = 1; i < levels; i++) {
      count += (size_t)snprintf(text + count, sizeof text - count, "{\"inner\":");
    }
    count += (size_t)snprintf(text + count, sizeof text - count, "{}");
    for (int i = 1; i < levels; i++) text[count++] = '}';
    char *told = rewritten(&nested_descriptor, text, count);
    CHECK((told != NULL) == (levels <= 32));
    free(told);
  }
  CHECK(strstr(detail, "more than 32 levels deep") != NULL);
}

static void one_member_of_a_oneof_may_be_given(void) {
  becomes(&nested_descriptor, "{\"count\":5}", "{\"count\":5}");
  becomes(&nested_descriptor, "{\"count\":null,\"name\":\"a\"}", "{\"name\":\"a\"}");
  refused(&nested_descriptor, "{\"inner\":{\"count\":5,\"name\":\"a\"}}",
          "inner.name: it excludes count, which is given too");
  refused(&nested_descriptor, "{\"name\":\"a\",\"count\":0}",
          "count: it excludes name, which is given too");
}

static void the_locale_changes_nothing(void) {
  static const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8", "C"};
  for (size_t i = 0; i < sizeof locales / sizeof locales[0]; i++) {
    if (setlocale(LC_ALL, locales[i]) == NULL) continue;
    becomes(SUBMIT, "{\"job\":{\"execution\":{\"max_error\":0.5}}}", "\"max_error\":0.5");
  }
  setlocale(LC_ALL, "C");
}

// Random messages

static uint64_t state;

static uint32_t next_random(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33);
}

static void add(qubus_json *out, const char *text) {
  qubus_json_append_bytes(out, text, strlen(text));
}

__attribute__((format(printf, 2, 3))) static void add_format(
    qubus_json *out, const char *format, ...) {
  char text[64];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  add(out, text);
}

static void write_message(qubus_json *out, const ProtobufCMessageDescriptor *d, int depth);

/// A name as the output has it; every enumeration of proto/ begins with its _UNSPECIFIED.
static void write_enum(qubus_json *out, const ProtobufCEnumDescriptor *kinds) {
  const ProtobufCEnumValue *value = &kinds->values[1 + next_random() % (kinds->n_values - 1)];
  const char *zero = protobuf_c_enum_descriptor_get_value(kinds, 0)->name;
  char name[128];
  snprintf(name, sizeof name, "\"%s\"", value->name + strlen(zero) - strlen("UNSPECIFIED"));
  for (char *c = name; *c; c++) *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
  add(out, name);
}

static void write_value(qubus_json *out, const ProtobufCFieldDescriptor *field, int depth) {
  static const char *const texts[] = {"", "a", "\xC3\xA9\"\\\n", "\xF0\x9F\x98\x80", "x\x01y"};
  uint64_t bits = ((uint64_t)next_random() << 32 | next_random()) >> next_random() % 64;
  const char *text = texts[next_random() % 5];
  switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32: add_format(out, "%d", (int32_t)(uint32_t)bits); break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32: add_format(out, "%u", (uint32_t)bits); break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64: add_format(out, "%lld", (long long)bits); break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64: add_format(out, "%llu", (unsigned long long)bits); break;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
      qubus_json_append_double(out, (double)(int32_t)bits / (1 + next_random() % 1000));
      break;
    case PROTOBUF_C_TYPE_BOOL: add(out, bits % 2 ? "true" : "false"); break;
    case PROTOBUF_C_TYPE_ENUM: write_enum(out, field->descriptor); break;
    case PROTOBUF_C_TYPE_STRING: qubus_json_append_string(out, text, strlen(text)); break;
    case PROTOBUF_C_TYPE_BYTES: add(out, bits % 2 ? "\"00ff7e\"" : "\"\""); break;
    case PROTOBUF_C_TYPE_MESSAGE: write_message(out, field->descriptor, depth + 1); break;
  }
}

/// A message of random values, as `qubus_json_append` writes it.
static void write_message(qubus_json *out, const ProtobufCMessageDescriptor *d, int depth) {
  const char *separator = "{";
  uint64_t chosen = 0;  // of a oneof's members the first, by the offset of its quantifier
  for (unsigned i = 0; i < d->n_fields; i++) {
    const ProtobufCFieldDescriptor *field = &d->fields[i];
    int is_list = field->label == PROTOBUF_C_LABEL_REPEATED;
    int is_optional = field->type == PROTOBUF_C_TYPE_MESSAGE ||
                      field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
    if (!is_list && is_optional && (depth > 5 || next_random() % 2)) continue;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
      uint64_t bit = (uint64_t)1 << field->quantifier_offset / 4 % 64;
      if (chosen & bit) continue;
      chosen |= bit;
    }
    add(out, separator);
    separator = ",";
    add(out, "\"");
    add(out, field->name);
    add(out, "\":");
    if (!is_list) {
      write_value(out, field, depth);
      continue;
    }
    add(out, "[");
    uint32_t count = depth > 5 ? 0 : next_random() % 7;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) count %= 3;
    for (uint32_t k = 0; k < count; k++) {
      if (k > 0) add(out, ",");
      write_value(out, field, depth);
    }
    add(out, "]");
  }
  add(out, separator[0] == '{' ? "{}" : "}");
}

static const ProtobufCMessageDescriptor *const kinds[] = {
#define ENTRY(name) &qubus__v1__##name##__descriptor,
    QUBUS_WIRE_MESSAGES(ENTRY)};
enum { kind_count = sizeof kinds / sizeof kinds[0] };

/// What was written is read as the same; a mutation of it is refused, or is a message that goes over
/// the wire.
static void random_messages(void) {
  uint64_t seed = state ? state : (uint64_t)time(NULL);
  printf("  seed %llu\n", (unsigned long long)seed);
  state = seed;
  int refusals = 0;
  for (int round = 0; round < 20000; round++) {
    const ProtobufCMessageDescriptor *d = kinds[next_random() % kind_count];
    qubus_json json;
    qubus_json_init(&json);
    write_message(&json, d, 0);
    char *told = rewritten(d, json.data, json.count);
    if (told == NULL || strcmp(told, json.data) != 0) {
      fprintf(stderr, "%s: %s\n  %s\n  %s\n", d->short_name, detail, json.data, told ? told : "");
    }
    CHECK(told != NULL && strcmp(told, json.data) == 0);
    free(told);
    for (uint32_t flips = 1 + next_random() % 3; flips > 0; flips--) {
      static const char marks[] = "{}[]\",:\\u0-9.eE ntf\x01\xFF";
      size_t at = next_random() % json.count;
      json.data[at] = next_random() % 2 ? marks[next_random() % (sizeof marks - 1)]
                                        : (char)(json.data[at] ^ 1 << next_random() % 8);
    }
    size_t count = next_random() % 4 ? json.count : next_random() % json.count;
    qubus_arena arena;
    qubus_arena_init(&arena, NULL, 0, count * 80 + 65536);
    ProtobufCMessage *message;
    if (read_text(d, json.data, count, &arena, &message) == QUBUS_WIRE_OK) {
      size_t size = protobuf_c_message_get_packed_size(message);
      uint8_t *packed = malloc(size + 1);
      CHECK(protobuf_c_message_pack(message, packed) == size);
      qubus_wire_limits limits = qubus_wire_limits_default();
      CHECK(qubus_wire_check(d, packed, size, &limits, NULL, 0) == QUBUS_WIRE_OK);
      free(packed);
    } else {
      refusals++;
    }
    qubus_arena_free(&arena);
    qubus_json_free(&json);
  }
  CHECK(refusals > 5000);
  state = 0;
}

int main(int argc, char **argv) {
  if (argc > 2) state = strtoull(argv[2], NULL, 10);
  RUN(every_type_is_read);
  RUN(strings_are_decoded);
  RUN(wrong_values_name_their_field);
  RUN(what_is_no_json_is_refused);
  RUN(no_value_is_told);
  RUN(the_text_is_bounded_in_depth_and_memory);
  RUN(nesting_ends_at_32_levels);
  RUN(one_member_of_a_oneof_may_be_given);
  RUN(the_locale_changes_nothing);
  RUN(random_messages);
  return 0;
}

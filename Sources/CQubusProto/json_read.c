/// A message from JSON, by reflection: the counterpart of json.c. Strict: what is not understood is
/// refused with the path of its field, and nothing of the input's values is repeated.
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "json_scan.h"
#include "qubus_wire.h"

enum { depth_maximum = 32, name_maximum = 128 };

typedef struct reader {
  json_cursor cursor;
  qubus_arena *arena;
  char *detail;
  size_t detail_capacity;
} reader;

/// Where in the message; the chain is the path of an error.
typedef struct place {
  const struct place *outer;
  const char *name;       ///< of the field; NULL at the top
  size_t index;           ///< SIZE_MAX outside of lists
  uint32_t depth;         ///< levels of messages
} place;

static size_t write_path(const place *at, char *out, size_t capacity) {
  if (at == NULL) return 0;
  size_t used = write_path(at->outer, out, capacity);
  if (at->name == NULL || used >= capacity) return used;
  int n = snprintf(out + used, capacity - used, "%s%s", used ? "." : "", at->name);
  if (n > 0) used += (size_t)n;
  if (at->index != SIZE_MAX && used < capacity) {
    n = snprintf(out + used, capacity - used, "[%zu]", at->index);
    if (n > 0) used += (size_t)n;
  }
  return used;
}

__attribute__((format(printf, 3, 4))) static int32_t refuse(
    const reader *r, const place *at, const char *format, ...) {
  char path[256] = "";
  write_path(at, path, sizeof path);
  int n = snprintf(r->detail, r->detail_capacity, "%s%s", path, path[0] ? ": " : "");
  if (n < 0 || (size_t)n >= r->detail_capacity) return QUBUS_WIRE_INVALID_ARGUMENT;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(r->detail + n, r->detail_capacity - (size_t)n, format, arguments);
  va_end(arguments);
  return QUBUS_WIRE_INVALID_ARGUMENT;
}

/// For text that is no JSON.
static int32_t refuse_syntax(const reader *r, const place *at, const char *problem) {
  return refuse(r, at, "%s, at byte %zu of the JSON", problem,
                (size_t)(r->cursor.at - r->cursor.start));
}

static int32_t refuse_type(const reader *r, const place *at, const char *expected) {
  return refuse(r, at, "%s is expected, at byte %zu of the JSON", expected,
                (size_t)(r->cursor.at - r->cursor.start));
}

static void *allocate(reader *r, const place *at, size_t bytes) {
  void *memory = qubus_arena_allocate(r->arena, bytes);
  if (memory == NULL) refuse(r, at, "the request needs more memory than one of its length may");
  return memory;
}

static int32_t read_object(
    reader *r, const place *at, const ProtobufCMessageDescriptor *descriptor,
    ProtobufCMessage **out);

// Values

/// A string into the arena.
static int32_t read_string(reader *r, const place *at, char **out, size_t *count) {
  json_span span;
  if (json_peek(&r->cursor) != '"') return refuse_type(r, at, "a string");
  const char *problem = json_take_string(&r->cursor, &span);
  if (problem != NULL) return refuse_syntax(r, at, problem);
  char *text = allocate(r, at, span.count + 1);
  if (text == NULL) return QUBUS_WIRE_INVALID_ARGUMENT;
  problem = json_decode_string(span, text, count);
  if (problem != NULL) return refuse_syntax(r, at, problem);
  *out = text;
  return QUBUS_WIRE_OK;
}

/// Bytes are in hex, as answers have them.
static int32_t read_bytes(reader *r, const place *at, ProtobufCBinaryData *out) {
  char *text;
  size_t count;
  int32_t code = read_string(r, at, &text, &count);
  if (code != QUBUS_WIRE_OK) return code;
  if (count % 2 != 0 || strspn(text, "0123456789abcdefABCDEF") != count) {
    return refuse(r, at, "bytes are expected, as an even number of hex digits");
  }
  for (size_t i = 0; i < count; i++) {
    char c = text[i];
    uint8_t digit = (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    text[i / 2] = (char)(i % 2 == 0 ? digit << 4 : (uint8_t)text[i / 2] | digit);
  }
  *out = (ProtobufCBinaryData){count / 2, (uint8_t *)text};
  return QUBUS_WIRE_OK;
}

/// A whole number from `minimum` (as a magnitude below zero) to `maximum`; one of 64 bits may stand
/// in a string, as JavaScript would round it else.
static int32_t read_integer(
    reader *r, const place *at, uint64_t minimum, uint64_t maximum, int32_t may_be_string,
    uint64_t *out) {
  json_span digits;
  char first = json_peek(&r->cursor);
  const char *problem = NULL;
  if (first == '0') {
    problem = json_take_number(&r->cursor, &digits);
  } else if (first == '"' && may_be_string) {
    problem = json_take_string(&r->cursor, &digits);
  } else {
    return refuse_type(r, at, may_be_string ? "a whole number, or one in a string,"
                                            : "a whole number");
  }
  if (problem != NULL) return refuse_syntax(r, at, problem);
  uint64_t magnitude;
  int32_t is_negative;
  if (!json_integer(digits, &magnitude, &is_negative) ||
      magnitude > (is_negative ? minimum : maximum)) {
    return refuse(r, at, "a whole number from %s%" PRIu64 " to %" PRIu64 " is expected",
                  minimum ? "-" : "", minimum, maximum);
  }
  *out = is_negative ? 0 - magnitude : magnitude;
  return QUBUS_WIRE_OK;
}

static int32_t read_double(reader *r, const place *at, double maximum, double *out) {
  json_span number;
  if (json_peek(&r->cursor) != '0') return refuse_type(r, at, "a number");
  const char *problem = json_take_number(&r->cursor, &number);
  if (problem != NULL) return refuse_syntax(r, at, problem);
  if (!json_double(number, out) || fabs(*out) > maximum) {
    return refuse(r, at, "the number is larger than its type holds, %g", maximum);
  }
  return QUBUS_WIRE_OK;
}

/// Compares a name of the JSON, "during_run", with one of proto/, "CANCEL_OUTCOME_DURING_RUN",
/// whose first `prefix` characters may be left out.
static int32_t names_value(const char *text, const char *name, size_t prefix) {
  if (strcmp(text, name) == 0) return 1;
  if (strlen(name) < prefix) return 0;
  for (name += prefix; *name && *text; name++, text++) {
    char lower = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
    if (*text != lower) return 0;
  }
  return *name == 0 && *text == 0;
}

/// Characters of the prefix that all names of an enumeration share.
static size_t prefix_of(const ProtobufCEnumDescriptor *kinds) {
  static const char unspecified[] = "UNSPECIFIED";
  const ProtobufCEnumValue *zero = protobuf_c_enum_descriptor_get_value(kinds, 0);
  size_t length = zero != NULL ? strlen(zero->name) : 0, end = sizeof unspecified - 1;
  return length >= end && strcmp(zero->name + length - end, unspecified) == 0 ? length - end : 0;
}

static int32_t read_enum(
    reader *r, const place *at, const ProtobufCEnumDescriptor *kinds, int *out) {
  char *text;
  size_t count;
  int32_t code = read_string(r, at, &text, &count);
  if (code != QUBUS_WIRE_OK) return code;
  size_t prefix = prefix_of(kinds);
  for (unsigned i = 0; i < kinds->n_values; i++) {
    if (!names_value(text, kinds->values[i].name, prefix)) continue;
    *out = kinds->values[i].value;
    return QUBUS_WIRE_OK;
  }
  char known[160] = "";
  size_t used = 0;
  for (unsigned i = 0; i < kinds->n_values && used < sizeof known; i++) {
    if (kinds->values[i].value == 0 && prefix > 0) continue;
    int n = snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
                     kinds->values[i].name + prefix);
    if (n > 0) used += (size_t)n;
  }
  for (char *c = known; *c; c++) {
    if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
  }
  return refuse(r, at, "one of %s is expected", known);
}

static int32_t read_bool(reader *r, const place *at, protobuf_c_boolean *out) {
  *out = json_take_word(&r->cursor, "true");
  if (*out || json_take_word(&r->cursor, "false")) return QUBUS_WIRE_OK;
  return refuse_type(r, at, "true or false");
}

/// Reads a value into a member of the message, or into an element of a list.
static int32_t read_value(
    reader *r, const place *at, const ProtobufCFieldDescriptor *field, void *member) {
  uint64_t bits = 0;
  size_t count;
  double number = 0;
  int32_t code;
  switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
      code = read_integer(r, at, (uint64_t)INT32_MAX + 1, INT32_MAX, 0, &bits);
      *(int32_t *)member = (int32_t)(uint32_t)bits;
      return code;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
      code = read_integer(r, at, 0, UINT32_MAX, 0, &bits);
      *(uint32_t *)member = (uint32_t)bits;
      return code;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
      code = read_integer(r, at, (uint64_t)INT64_MAX + 1, INT64_MAX, 1, &bits);
      *(int64_t *)member = (int64_t)bits;
      return code;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
      code = read_integer(r, at, 0, UINT64_MAX, 1, &bits);
      *(uint64_t *)member = bits;
      return code;
    case PROTOBUF_C_TYPE_FLOAT:
      code = read_double(r, at, 3.4028234663852886e38, &number);
      *(float *)member = code == QUBUS_WIRE_OK ? (float)number : 0;
      return code;
    case PROTOBUF_C_TYPE_DOUBLE: return read_double(r, at, 1.7976931348623157e308, member);
    case PROTOBUF_C_TYPE_BOOL: return read_bool(r, at, member);
    case PROTOBUF_C_TYPE_ENUM: return read_enum(r, at, field->descriptor, member);
    case PROTOBUF_C_TYPE_STRING: return read_string(r, at, member, &count);
    case PROTOBUF_C_TYPE_BYTES: return read_bytes(r, at, member);
    case PROTOBUF_C_TYPE_MESSAGE: return read_object(r, at, field->descriptor, member);
  }
  return refuse(r, at, "a type of field that is not known here");
}

// Lists and objects

static int32_t read_list(
    reader *r, place *at, const ProtobufCFieldDescriptor *field, ProtobufCMessage *message) {
  size_t size = json_element_size(field->type), count = 0, capacity = 0;
  char *elements = NULL;
  if (!json_take(&r->cursor, '[')) return refuse_type(r, at, "a list");
  for (int32_t is_open = !json_take(&r->cursor, ']'); is_open;) {
    if (count == capacity) {
      capacity = capacity ? 2 * capacity : 4;
      char *larger = allocate(r, at, capacity * size);
      if (larger == NULL) return QUBUS_WIRE_INVALID_ARGUMENT;
      if (count > 0) memcpy(larger, elements, count * size);
      elements = larger;
    }
    at->index = count;
    int32_t code = read_value(r, at, field, elements + count * size);
    if (code != QUBUS_WIRE_OK) return code;
    count++;
    is_open = json_take(&r->cursor, ',');
    if (!is_open && !json_take(&r->cursor, ']')) {
      return refuse_syntax(r, at, "a comma or the list's end is expected");
    }
  }
  memcpy((char *)message + field->quantifier_offset, &count, sizeof count);
  memcpy((char *)message + field->offset, &elements, sizeof elements);
  return QUBUS_WIRE_OK;
}

/// Marks the member of a oneof as chosen.
static int32_t choose(
    const reader *r, const place *at, const ProtobufCMessageDescriptor *descriptor,
    const ProtobufCFieldDescriptor *field, ProtobufCMessage *message) {
  uint32_t chosen;
  char *quantifier = (char *)message + field->quantifier_offset;
  memcpy(&chosen, quantifier, sizeof chosen);
  if (chosen != 0) {
    const ProtobufCFieldDescriptor *other =
        protobuf_c_message_descriptor_get_field(descriptor, chosen);
    return refuse(r, at, "it excludes %s, which is given too", other ? other->name : "another");
  }
  memcpy(quantifier, &field->id, sizeof field->id);
  return QUBUS_WIRE_OK;
}

/// Reads a field's name and finds it.
static int32_t read_name(
    reader *r, const place *at, const ProtobufCMessageDescriptor *descriptor,
    const ProtobufCFieldDescriptor **out) {
  json_span span;
  char name[name_maximum + 1] = "";
  size_t count = 0;
  const char *problem = json_take_string(&r->cursor, &span);
  if (problem == NULL && span.count <= name_maximum) {
    problem = json_decode_string(span, name, &count);
  }
  if (problem != NULL) return refuse_syntax(r, at, problem);
  *out = count > 0 ? protobuf_c_message_descriptor_get_field_by_name(descriptor, name) : NULL;
  if (*out != NULL) return QUBUS_WIRE_OK;
  // A name is told only when it looks like one: it may be a value in the wrong place.
  int32_t is_name = count > 0 && count <= 40 &&
                    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
                        count;
  return refuse(r, at, "%s has no field %s%s%s", descriptor->short_name, is_name ? "\"" : "",
                is_name ? name : "of the name that it gives", is_name ? "\"" : "");
}

static int32_t read_member(
    reader *r, const place *at, const ProtobufCMessageDescriptor *descriptor,
    ProtobufCMessage *message, uint8_t *seen) {
  const ProtobufCFieldDescriptor *field = NULL;
  int32_t code = read_name(r, at, descriptor, &field);
  if (code != QUBUS_WIRE_OK) return code;
  place inner = {at, field->name, SIZE_MAX, at->depth};
  if (seen[field - descriptor->fields]++) return refuse(r, &inner, "it is given twice");
  if (!json_take(&r->cursor, ':')) return refuse_syntax(r, &inner, "a colon is expected");
  // Null leaves the field as if it were not there.
  if (json_take_word(&r->cursor, "null")) return QUBUS_WIRE_OK;
  if (field->label == PROTOBUF_C_LABEL_REPEATED) return read_list(r, &inner, field, message);
  code = read_value(r, &inner, field, (char *)message + field->offset);
  if (code == QUBUS_WIRE_OK && field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
    code = choose(r, &inner, descriptor, field, message);
  }
  return code;
}

static int32_t read_object(
    reader *r, const place *at, const ProtobufCMessageDescriptor *descriptor,
    ProtobufCMessage **out) {
  if (at->depth == depth_maximum) {
    return refuse(r, at, "messages lie more than %d levels deep", depth_maximum);
  }
  place inside = {at->outer, at->name, at->index, at->depth + 1};
  if (!json_take(&r->cursor, '{')) return refuse_type(r, at, "an object");
  ProtobufCMessage *message = allocate(r, at, descriptor->sizeof_message);
  uint8_t *seen = allocate(r, at, descriptor->n_fields);
  if (message == NULL || seen == NULL) return QUBUS_WIRE_INVALID_ARGUMENT;
  protobuf_c_message_init(descriptor, message);
  memset(seen, 0, descriptor->n_fields);
  for (int32_t is_open = !json_take(&r->cursor, '}'); is_open;) {
    int32_t code = read_member(r, &inside, descriptor, message, seen);
    if (code != QUBUS_WIRE_OK) return code;
    is_open = json_take(&r->cursor, ',');
    if (!is_open && !json_take(&r->cursor, '}')) {
      return refuse_syntax(r, at, "a comma or the object's end is expected");
    }
  }
  *out = message;
  return QUBUS_WIRE_OK;
}

int32_t qubus_json_read(
    const ProtobufCMessageDescriptor *descriptor, const char *text, size_t count,
    qubus_arena *arena, ProtobufCMessage **out, char *detail, size_t detail_capacity) {
  reader r = {{text, text, text + count}, arena, detail, detail_capacity};
  const place top = {NULL, NULL, SIZE_MAX, 0};
  *out = NULL;
  if (detail_capacity > 0) detail[0] = 0;
  ProtobufCMessage *message;
  int32_t code = read_object(&r, &top, descriptor, &message);
  if (code != QUBUS_WIRE_OK) return code;
  json_peek(&r.cursor);
  if (r.cursor.at != r.cursor.end) {
    return refuse_syntax(&r, &top, "something follows the request's object");
  }
  *out = message;
  return QUBUS_WIRE_OK;
}

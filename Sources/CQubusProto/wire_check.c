#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "qubus_wire.h"

enum {
  tracked_fields = 64,
  varint32_bytes = 5,  // of a tag or a length: protobuf-c takes no longer form of the same number
};

typedef struct walk {
  const qubus_wire_limits *limits;
  const uint8_t *start;
  uint32_t fields;
  char *detail;
  size_t detail_capacity;
} walk;

/// One message on the way down; the chain of levels is the path of an error.
typedef struct level {
  const struct level *parent;
  const ProtobufCMessageDescriptor *descriptor;
  const ProtobufCFieldDescriptor *field;  // the one being looked at; NULL before the first
  uint32_t depth;
  uint32_t element;                       // its index when it is repeated
  uint32_t seen[tracked_fields];          // occurrences by index of the field
} level;

qubus_wire_limits qubus_wire_limits_default(void) {
  qubus_wire_limits limits = {32, 4096, 64u << 20, 64u << 20, 0, 0};
  return limits;
}

static size_t write_path(const level *at, char *out, size_t capacity) {
  if (at == NULL) return 0;
  size_t used = write_path(at->parent, out, capacity);
  if (at->field == NULL || used >= capacity) return used;
  int n = at->field->label == PROTOBUF_C_LABEL_REPEATED
              ? snprintf(out + used, capacity - used, "%s%s[%" PRIu32 "]", used ? "." : "",
                         at->field->name, at->element)
              : snprintf(out + used, capacity - used, "%s%s", used ? "." : "", at->field->name);
  return n < 0 ? used : used + (size_t)n;
}

__attribute__((format(printf, 4, 5))) static int32_t refuse(
    const walk *w, const level *at, int32_t code, const char *format, ...) {
  if (w->detail == NULL || w->detail_capacity == 0) return code;
  char path[256] = "";
  write_path(at, path, sizeof path);
  int n = snprintf(w->detail, w->detail_capacity, "%s%s", path, path[0] ? ": " : "");
  if (n < 0 || (size_t)n >= w->detail_capacity) return code;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(w->detail + n, w->detail_capacity - (size_t)n, format, arguments);
  va_end(arguments);
  return code;
}

/// Reads a varint of at most ten bytes; NULL when it is cut short or too long.
static const uint8_t *read_varint(const uint8_t *p, const uint8_t *end, uint64_t *value) {
  uint64_t result = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    if (p == end) return NULL;
    uint8_t byte = *p++;
    if (shift == 63 && byte > 1) return NULL;
    result |= (uint64_t)(byte & 0x7F) << shift;
    if (byte < 0x80) {
      *value = result;
      return p;
    }
  }
  return NULL;
}

static unsigned wire_type_of(ProtobufCType type) {
  switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
      return PROTOBUF_C_WIRE_TYPE_VARINT;
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
      return PROTOBUF_C_WIRE_TYPE_32BIT;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
      return PROTOBUF_C_WIRE_TYPE_64BIT;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
      return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
  }
  return UINT32_MAX;
}

static int32_t check_enum(const walk *w, const level *at, uint64_t wire) {
  const ProtobufCEnumDescriptor *kinds = at->field->descriptor;
  int value = (int)(int32_t)(uint32_t)wire;
  if (w->limits->accept_unknown_enums) return QUBUS_WIRE_OK;
  if (protobuf_c_enum_descriptor_get_value(kinds, value) != NULL) return QUBUS_WIRE_OK;
  return refuse(w, at, QUBUS_WIRE_INVALID_ENUM_VALUE,
                "%d is no value of %s, whose last is %s = %d", value, kinds->short_name,
                kinds->values[kinds->n_values - 1].name, kinds->values[kinds->n_values - 1].value);
}

static int32_t check_packed(
    const walk *w, const level *at, unsigned type, const uint8_t *p, const uint8_t *end) {
  if (type == PROTOBUF_C_WIRE_TYPE_VARINT) {
    while (p < end) {
      uint64_t value;
      p = read_varint(p, end, &value);
      if (p == NULL) {
        return refuse(w, at, QUBUS_WIRE_MALFORMED_FRAME, "a packed number is cut short");
      }
      if (at->field->type == PROTOBUF_C_TYPE_ENUM) {
        int32_t code = check_enum(w, at, value);
        if (code != QUBUS_WIRE_OK) return code;
      }
    }
    return QUBUS_WIRE_OK;
  }
  size_t size = type == PROTOBUF_C_WIRE_TYPE_64BIT ? 8 : 4;
  if ((size_t)(end - p) % size == 0) return QUBUS_WIRE_OK;
  return refuse(w, at, QUBUS_WIRE_MALFORMED_FRAME,
                "%zu packed bytes are no multiple of %zu", (size_t)(end - p), size);
}

static int32_t check_string(
    const walk *w, const level *at, const uint8_t *p, const uint8_t *end) {
  size_t count = (size_t)(end - p);
  if (count == 0) return QUBUS_WIRE_OK;
  const uint8_t *nul = memchr(p, 0, count);
  if (nul != NULL) {
    return refuse(w, at, QUBUS_WIRE_NUL_IN_STRING, "byte %zu is NUL", (size_t)(nul - p));
  }
  size_t bad = qubus_wire_invalid_utf8_offset(p, count);
  if (bad == SIZE_MAX) return QUBUS_WIRE_OK;
  return refuse(w, at, QUBUS_WIRE_INVALID_UTF8, "byte %zu is not valid UTF-8", bad);
}

static int32_t check_message(walk *w, level *at, const uint8_t *p, const uint8_t *end);

static int32_t check_submessage(
    walk *w, level *at, const uint8_t *p, const uint8_t *end) {
  uint32_t ceiling = w->limits->maximum_depth < QUBUS_WIRE_DEPTH_CEILING
                         ? w->limits->maximum_depth
                         : QUBUS_WIRE_DEPTH_CEILING;
  if (at->depth + 1 > ceiling) {
    return refuse(w, at, QUBUS_WIRE_MESSAGE_TOO_DEEP, "nests deeper than %" PRIu32 " levels",
                  ceiling);
  }
  if (at->field->label != PROTOBUF_C_LABEL_REPEATED && at->element > 0) {
    return refuse(w, at, QUBUS_WIRE_MALFORMED_FRAME, "occurs more than once");
  }
  level below = {.parent = at, .descriptor = at->field->descriptor, .depth = at->depth + 1};
  return check_message(w, &below, p, end);
}

/// Checks the contents [p, end) of a length-prefixed, known field.
static int32_t check_contents(walk *w, level *at, const uint8_t *p, const uint8_t *end) {
  unsigned natural = wire_type_of(at->field->type);
  if (natural != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) {
    if (at->field->label != PROTOBUF_C_LABEL_REPEATED) {
      return refuse(w, at, QUBUS_WIRE_MALFORMED_FRAME, "has wire type 2 where %u belongs", natural);
    }
    return check_packed(w, at, natural, p, end);
  }
  if (at->field->type == PROTOBUF_C_TYPE_MESSAGE) return check_submessage(w, at, p, end);
  if ((uint64_t)(end - p) > w->limits->maximum_field_bytes) {
    return refuse(w, at, QUBUS_WIRE_MESSAGE_TOO_LARGE, "has %zu bytes, the limit is %" PRIu64,
                  (size_t)(end - p), w->limits->maximum_field_bytes);
  }
  if (at->field->type == PROTOBUF_C_TYPE_STRING) return check_string(w, at, p, end);
  return QUBUS_WIRE_OK;
}

/// Steps over one field of wire type `type` at *p.
static int32_t check_field(
    walk *w, level *at, unsigned type, const uint8_t **p, const uint8_t *end) {
  const ProtobufCFieldDescriptor *field = at->field;
  size_t offset = (size_t)(*p - w->start);
  if (field != NULL && type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED &&
      type != wire_type_of(field->type)) {
    return refuse(w, at, QUBUS_WIRE_MALFORMED_FRAME, "has wire type %u where %u belongs", type,
                  wire_type_of(field->type));
  }
  uint64_t value = 0;
  size_t left = (size_t)(end - *p);
  switch (type) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
      *p = read_varint(*p, end, &value);
      if (*p == NULL) {
        return refuse(w, at, QUBUS_WIRE_MALFORMED_FRAME, "the number at byte %zu is no varint",
                      offset);
      }
      if (field != NULL && field->type == PROTOBUF_C_TYPE_ENUM) return check_enum(w, at, value);
      return QUBUS_WIRE_OK;
    case PROTOBUF_C_WIRE_TYPE_64BIT:
    case PROTOBUF_C_WIRE_TYPE_32BIT: {
      size_t size = type == PROTOBUF_C_WIRE_TYPE_64BIT ? 8 : 4;
      if (left < size) {
        return refuse(w, at, QUBUS_WIRE_MALFORMED_FRAME,
                      "the number at byte %zu is cut short: %zu of %zu bytes", offset, left, size);
      }
      *p += size;
      return QUBUS_WIRE_OK;
    }
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED: {
      const uint8_t *contents = read_varint(*p, end, &value);
      if (contents == NULL || contents - *p > varint32_bytes ||
          value > (uint64_t)(end - contents)) {
        return refuse(w, at, QUBUS_WIRE_MALFORMED_FRAME,
                      "the length at byte %zu reaches beyond the end", offset);
      }
      *p = contents + value;
      return field == NULL ? QUBUS_WIRE_OK : check_contents(w, at, contents, *p);
    }
    default:
      return refuse(w, at, QUBUS_WIRE_MALFORMED_FRAME, "wire type %u at byte %zu does not exist",
                    type, offset);
  }
}

static int32_t check_message(walk *w, level *at, const uint8_t *p, const uint8_t *end) {
  while (p < end) {
    at->field = NULL;
    at->element = 0;
    size_t offset = (size_t)(p - w->start);
    if (++w->fields > w->limits->maximum_fields) {
      return refuse(w, at, QUBUS_WIRE_TOO_MANY_FIELDS, "more than %" PRIu32 " fields",
                    w->limits->maximum_fields);
    }
    uint64_t tag;
    const uint8_t *start = p;
    p = read_varint(p, end, &tag);
    if (p == NULL || p - start > varint32_bytes || tag > UINT32_MAX || tag >> 3 == 0) {
      return refuse(w, at, QUBUS_WIRE_MALFORMED_FRAME, "no valid field tag at byte %zu", offset);
    }
    at->field = protobuf_c_message_descriptor_get_field(at->descriptor, (unsigned)(tag >> 3));
    if (at->field != NULL) {
      size_t index = (size_t)(at->field - at->descriptor->fields);
      if (index < tracked_fields) at->element = at->seen[index]++;
    }
    int32_t code = check_field(w, at, (unsigned)(tag & 7), &p, end);
    if (code != QUBUS_WIRE_OK) return code;
  }
  return QUBUS_WIRE_OK;
}

int32_t qubus_wire_check(
    const ProtobufCMessageDescriptor *descriptor, const uint8_t *data, size_t count,
    const qubus_wire_limits *limits, char *detail, size_t detail_capacity) {
  walk w = {.limits = limits, .start = data, .detail = detail, .detail_capacity = detail_capacity};
  if (detail != NULL && detail_capacity > 0) detail[0] = 0;
  if (count > limits->maximum_bytes) {
    return refuse(&w, NULL, QUBUS_WIRE_MESSAGE_TOO_LARGE, "%zu bytes, the limit is %" PRIu64,
                  count, limits->maximum_bytes);
  }
  if (count == 0) return QUBUS_WIRE_OK;
  level top = {.descriptor = descriptor, .depth = 1};
  return check_message(&w, &top, data, data + count);
}

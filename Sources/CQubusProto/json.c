#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_scan.h"
#include "qubus_wire.h"

void qubus_json_init(qubus_json *json) { memset(json, 0, sizeof *json); }

void qubus_json_free(qubus_json *json) {
  free(json->data);
  qubus_json_init(json);
}

void qubus_json_append_bytes(qubus_json *json, const char *text, size_t count) {
  if (json->is_out_of_memory) return;
  if (json->data == NULL || count >= json->capacity - json->count) {
    size_t capacity = json->capacity ? json->capacity : 256;
    while (capacity - json->count <= count) {
      if (capacity > SIZE_MAX / 2) {
        json->is_out_of_memory = 1;
        return;
      }
      capacity *= 2;
    }
    char *data = realloc(json->data, capacity);
    if (data == NULL) {
      json->is_out_of_memory = 1;
      return;
    }
    json->data = data;
    json->capacity = capacity;
  }
  if (count > 0) memcpy(json->data + json->count, text, count);
  json->count += count;
  json->data[json->count] = 0;
}

static void append_text(qubus_json *json, const char *text) {
  qubus_json_append_bytes(json, text, strlen(text));
}

void qubus_json_append_string(qubus_json *json, const char *text, size_t count) {
  append_text(json, "\"");
  size_t valid = qubus_wire_invalid_utf8_offset((const uint8_t *)text, count);
  size_t run = 0;
  for (size_t i = 0; i < count; i++) {
    unsigned char byte = (unsigned char)text[i];
    if (byte >= 0x20 && byte != '"' && byte != '\\' && i != valid) continue;
    qubus_json_append_bytes(json, text + run, i - run);
    run = i + 1;
    char escape[8];
    if (i == valid) {
      append_text(json, "\xEF\xBF\xBD");
      size_t next = qubus_wire_invalid_utf8_offset((const uint8_t *)text + i + 1, count - i - 1);
      valid = next == SIZE_MAX ? SIZE_MAX : i + 1 + next;
      continue;
    }
    switch (byte) {
      case '"': append_text(json, "\\\""); break;
      case '\\': append_text(json, "\\\\"); break;
      case '\n': append_text(json, "\\n"); break;
      case '\r': append_text(json, "\\r"); break;
      case '\t': append_text(json, "\\t"); break;
      default:
        snprintf(escape, sizeof escape, "\\u%04x", byte);
        append_text(json, escape);
    }
  }
  qubus_json_append_bytes(json, text + run, count - run);
  append_text(json, "\"");
}

void qubus_json_append_double(qubus_json *json, double value) {
  if (!isfinite(value)) {
    append_text(json, "null");
    return;
  }
  char digits[40], clean[40];
  for (int precision = 15; precision <= 17; precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, value);
    if (strtod(digits, NULL) == value) break;
  }
  // The decimal point of the host's locale may be any text; JSON knows one.
  size_t n = 0;
  int is_integer = 1;
  for (const char *p = digits; *p; p++) {
    if ((*p >= '0' && *p <= '9') || *p == '-' || *p == '+' || *p == 'e') {
      if (*p == 'e') is_integer = 0;
      clean[n++] = *p;
    } else if (n == 0 || clean[n - 1] != '.') {
      clean[n++] = '.';
      is_integer = 0;
    }
  }
  qubus_json_append_bytes(json, clean, n);
  if (is_integer) append_text(json, ".0");
}

static void append_enum(qubus_json *json, const ProtobufCEnumDescriptor *kinds, int value) {
  const ProtobufCEnumValue *entry = protobuf_c_enum_descriptor_get_value(kinds, value);
  const ProtobufCEnumValue *zero = protobuf_c_enum_descriptor_get_value(kinds, 0);
  char text[64];
  if (entry == NULL) {
    snprintf(text, sizeof text, "%d", value);
    append_text(json, text);
    return;
  }
  static const char unspecified[] = "UNSPECIFIED";
  size_t prefix = 0;
  if (zero != NULL) {
    size_t length = strlen(zero->name);
    if (length >= sizeof unspecified - 1 &&
        strcmp(zero->name + length - (sizeof unspecified - 1), unspecified) == 0) {
      prefix = length - (sizeof unspecified - 1);
    }
  }
  if (value == 0 && prefix > 0) {
    append_text(json, "null");
    return;
  }
  const char *name = entry->name;
  if (zero != NULL && strncmp(name, zero->name, prefix) == 0) name += prefix;
  size_t n = 0;
  text[n++] = '"';
  for (; *name && n < sizeof text - 2; name++) {
    text[n++] = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
  }
  text[n++] = '"';
  qubus_json_append_bytes(json, text, n);
}

static void append_hex(qubus_json *json, const uint8_t *data, size_t count) {
  append_text(json, "\"");
  for (size_t i = 0; i < count; i++) {
    char pair[2] = {"0123456789abcdef"[data[i] >> 4], "0123456789abcdef"[data[i] & 15]};
    qubus_json_append_bytes(json, pair, 2);
  }
  append_text(json, "\"");
}

size_t json_element_size(ProtobufCType type) {
  switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
      return sizeof(uint32_t);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
      return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_FLOAT: return sizeof(float);
    case PROTOBUF_C_TYPE_DOUBLE: return sizeof(double);
    case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_ENUM: return sizeof(int);
    case PROTOBUF_C_TYPE_STRING: return sizeof(char *);
    case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_MESSAGE: return sizeof(ProtobufCMessage *);
  }
  return 0;
}

static void append_value(
    qubus_json *json, const ProtobufCFieldDescriptor *field, const void *member) {
  char text[32];
  switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
      snprintf(text, sizeof text, "%" PRId32, *(const int32_t *)member);
      break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
      snprintf(text, sizeof text, "%" PRIu32, *(const uint32_t *)member);
      break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
      snprintf(text, sizeof text, "%" PRId64, *(const int64_t *)member);
      break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
      snprintf(text, sizeof text, "%" PRIu64, *(const uint64_t *)member);
      break;
    case PROTOBUF_C_TYPE_FLOAT: qubus_json_append_double(json, *(const float *)member); return;
    case PROTOBUF_C_TYPE_DOUBLE: qubus_json_append_double(json, *(const double *)member); return;
    case PROTOBUF_C_TYPE_BOOL:
      append_text(json, *(const protobuf_c_boolean *)member ? "true" : "false");
      return;
    case PROTOBUF_C_TYPE_ENUM:
      append_enum(json, field->descriptor, *(const int *)member);
      return;
    case PROTOBUF_C_TYPE_STRING: {
      const char *string = *(char *const *)member;
      if (string == NULL) string = "";
      qubus_json_append_string(json, string, strlen(string));
      return;
    }
    case PROTOBUF_C_TYPE_BYTES: {
      const ProtobufCBinaryData *bytes = member;
      append_hex(json, bytes->data, bytes->len);
      return;
    }
    case PROTOBUF_C_TYPE_MESSAGE:
      qubus_json_append(json, *(ProtobufCMessage *const *)member);
      return;
  }
  append_text(json, text);
}

static int is_absent(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field) {
  const char *base = (const char *)message;
  if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
    uint32_t chosen;
    memcpy(&chosen, base + field->quantifier_offset, sizeof chosen);
    if (chosen != field->id) return 1;
  }
  return field->type == PROTOBUF_C_TYPE_MESSAGE &&
         *(ProtobufCMessage *const *)(const void *)(base + field->offset) == NULL;
}

void qubus_json_append(qubus_json *json, const ProtobufCMessage *message) {
  const char *separator = "{";
  for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
    const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
    const char *member = (const char *)message + field->offset;
    int is_repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
    if (!is_repeated && is_absent(message, field)) continue;
    append_text(json, separator);
    separator = ",";
    append_text(json, "\"");
    append_text(json, field->name);
    append_text(json, "\":");
    if (!is_repeated) {
      append_value(json, field, member);
      continue;
    }
    size_t count;
    memcpy(&count, (const char *)message + field->quantifier_offset, sizeof count);
    const char *elements = *(char *const *)(const void *)member;
    append_text(json, "[");
    for (size_t k = 0; k < count; k++) {
      if (k > 0) append_text(json, ",");
      append_value(json, field, elements + k * json_element_size(field->type));
    }
    append_text(json, "]");
  }
  append_text(json, separator[0] == '{' ? "{}" : "}");
}

#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct entry {
  int32_t number;
  const char *name, *error_class;
  uint32_t grpc_status, http_status;
  const char *recovery;
  int32_t retryable;
  const char *action, *explanation;
} entry;

static const entry table[] = {
#include "error_table.inc"
};

static const entry *find(int32_t code) {
  size_t low = 0, high = sizeof table / sizeof table[0];
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (table[middle].number == code) return &table[middle];
    if (table[middle].number < code) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return NULL;
}

const char *qubus_error_name(int32_t code) {
  if (code == QUBUS_OK) return "ok";
  const entry *e = find(code);
  return e ? e->name : "unknown";
}

const char *qubus_error_action(int32_t code) {
  if (code == QUBUS_OK) return "Nothing is to be done.";
  const entry *e = find(code);
  return e ? e->action : "Update the client library: it does not know this code.";
}

/// Copies what fits, cut at a character's start.
static void copy_text(char *out, size_t capacity, const char *text) {
  size_t count = strlen(text);
  if (count >= capacity) {
    count = capacity - 1;
    while (count > 0 && ((unsigned char)text[count] & 0xC0) == 0x80) count--;
  }
  memcpy(out, text, count);
  out[count] = 0;
}

/// An error struct of another version of the header has another size.
static int32_t is_writable(const qubus_error *error) {
  return error != NULL && error->struct_size >= 2 * sizeof(uint32_t);
}

void error_copy(qubus_error *to, const qubus_error *from) {
  if (!is_writable(to)) return;
  uint32_t size = to->struct_size;
  memcpy(to, from, size < sizeof *from ? size : sizeof *from);
  to->struct_size = size;
}

void error_clear(qubus_error *error) {
  if (is_writable(error)) error->code = QUBUS_OK;
}

static void fill_from_table(qubus_error *full, int32_t code) {
  const entry *e = find(code);
  full->code = code;
  copy_text(full->name, sizeof full->name, e ? e->name : "unknown");
  copy_text(full->error_class, sizeof full->error_class, e ? e->error_class : "internal");
  copy_text(full->action, sizeof full->action, qubus_error_action(code));
  full->retryable = e ? e->retryable : 0;
  full->grpc_status = e ? e->grpc_status : 2;
}

int32_t error_set(qubus_error *error, int32_t code, const char *format, ...) {
  if (!is_writable(error)) return code;
  qubus_error full = QUBUS_ERROR_INIT;
  fill_from_table(&full, code);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(full.message, sizeof full.message, format, arguments);
  va_end(arguments);
  copy_text(full.details_json, sizeof full.details_json, "{\"violations\":[],\"details\":{}}");
  error_copy(error, &full);
  return code;
}

static void append_member(qubus_json *json, const char *name, const char *value) {
  qubus_json_append_string(json, name, strlen(name));
  qubus_json_append_bytes(json, ":", 1);
  qubus_json_append_string(json, value, strlen(value));
}

/// Violations, then details, as many as fit: the JSON stays whole.
static void write_details(qubus_error *full, const Qubus__V1__ErrorDetail *detail) {
  static const char middle[] = "],\"details\":{";
  qubus_json json;
  qubus_json_init(&json);
  qubus_json_append_bytes(&json, "{\"violations\":[", 15);
  size_t room = sizeof full->details_json - sizeof middle - 3;
  for (size_t i = 0; i < detail->n_violations; i++) {
    size_t before = json.count;
    const Qubus__V1__FieldViolation *violation = detail->violations[i];
    qubus_json_append_bytes(&json, i ? ",{" : "{", i ? 2 : 1);
    append_member(&json, "field", violation->field);
    qubus_json_append_bytes(&json, ",", 1);
    append_member(&json, "explanation", violation->explanation);
    qubus_json_append_bytes(&json, ",", 1);
    append_member(&json, "limit", violation->limit);
    qubus_json_append_bytes(&json, "}", 1);
    if (json.count > room) {
      json.count = before;
      break;
    }
  }
  qubus_json_append_bytes(&json, middle, sizeof middle - 1);
  room = sizeof full->details_json - 3;
  for (size_t i = 0; i < detail->n_details; i++) {
    size_t before = json.count;
    if (i > 0) qubus_json_append_bytes(&json, ",", 1);
    append_member(&json, detail->details[i]->key, detail->details[i]->value);
    if (json.count > room) {
      json.count = before;
      break;
    }
  }
  qubus_json_append_bytes(&json, "}}", 2);
  if (!json.is_out_of_memory && json.count < sizeof full->details_json) {
    memcpy(full->details_json, json.data, json.count + 1);
  }
  qubus_json_free(&json);
}

int32_t error_from_detail(
    qubus_error *error, const Qubus__V1__ErrorDetail *detail, uint32_t grpc_status) {
  int32_t code = detail->number > 0 ? detail->number : QUBUS_E_INTERNAL_ERROR;
  if (!is_writable(error)) return code;
  qubus_error full = QUBUS_ERROR_INIT;
  fill_from_table(&full, code);
  if (grpc_status != 0) full.grpc_status = grpc_status;
  if (detail->name[0]) copy_text(full.name, sizeof full.name, detail->name);
  if (detail->error_class[0]) {
    copy_text(full.error_class, sizeof full.error_class, detail->error_class);
  }
  if (detail->recovery[0]) full.retryable = strcmp(detail->recovery, "retry") == 0;
  if (detail->action[0]) copy_text(full.action, sizeof full.action, detail->action);
  copy_text(full.message, sizeof full.message, detail->message);
  copy_text(full.trace_id, sizeof full.trace_id, detail->trace_id);
  if (detail->retry_after_case == QUBUS__V1__ERROR_DETAIL__RETRY_AFTER_RETRY_AFTER_MILLISECONDS) {
    uint64_t after = detail->retry_after_milliseconds;
    full.retry_after_milliseconds = after > INT64_MAX ? INT64_MAX : (int64_t)after;
  }
  if (detail->location != NULL) {
    full.line = detail->location->line;
    full.column = detail->location->column;
    copy_text(full.text, sizeof full.text, detail->location->text);
    copy_text(full.excerpt, sizeof full.excerpt, detail->location->excerpt);
  }
  write_details(&full, detail);
  error_copy(error, &full);
  return code;
}

int32_t error_from_status(qubus_error *error, const Qubus__V1__Status *status) {
  if (status == NULL) return QUBUS_OK;
  if (status->error != NULL && status->error->number != 0) {
    return error_from_detail(error, status->error, status->code);
  }
  if (status->code == 0) return QUBUS_OK;
  return error_set(error, QUBUS_E_INTERNAL_ERROR,
                   "the server answered with gRPC status %u and no detail", status->code);
}

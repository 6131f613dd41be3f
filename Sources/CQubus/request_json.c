/// Any method of proto/ by its name, with its request as JSON.
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  name_maximum = 64,
  request_text_maximum = 16 << 20,
};

/// Methods that are more than a message there and a message back: they stream, carry arrays, or bind
/// a session to the connection.
static const char *const others[] = {"GetResult", "OpenSession", "Optimize",
                                     "ResumeSession", "Step", "WatchJob"};

/// Whether the method can be sent again when its fate is unknown; one that is not known here can when
/// its name says that it reads.
static int32_t is_repeatable(const char *name) {
  static const char *const reading[] = {"Get", "List", "Verify", "WhoAmI"};
  const method *known = method_named(name);
  if (known != NULL) return known->is_repeatable;
  for (size_t i = 0; i < sizeof reading / sizeof reading[0]; i++) {
    if (strncmp(name, reading[i], strlen(reading[i])) == 0) return 1;
  }
  return 0;
}

/// Descriptor of a method's request or response.
static const ProtobufCMessageDescriptor *descriptor_of(const char *name, const char *suffix) {
  char full[name_maximum + 16];
  snprintf(full, sizeof full, "%s%s", name, suffix);
  return qubus_descriptor_named(full);
}

static int32_t check_name(const char *name, qubus_error *error) {
  if (name == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "method is NULL");
  size_t count = strlen(name);
  if (count > name_maximum || descriptor_of(name, "Request") == NULL ||
      descriptor_of(name, "Response") == NULL) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                     "method \"%.64s\" is none that this library knows; see proto/README.md", name);
  }
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    if (strcmp(name, others[i]) != 0) continue;
    return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                     "method %s is more than one message there and one back; it has functions of its "
                     "own",
                     name);
  }
  return QUBUS_OK;
}

/// Reads the JSON and packs the message.
static int32_t encode_request(
    const method *method, const char *text, zmq_msg_t *out, qubus_error *error) {
  size_t count = strlen(text);
  if (count > request_text_maximum) {
    return error_set(error, QUBUS_E_MESSAGE_TOO_LARGE,
                     "%s: the request has %zu bytes of JSON, at most %d are taken", method->name,
                     count, request_text_maximum);
  }
  uint8_t buffer[2048];
  qubus_arena arena;
  qubus_arena_init(&arena, buffer, sizeof buffer, message_budget(count));
  char detail[512];
  ProtobufCMessage *message;
  int32_t code = qubus_json_read(method->request, text, count, &arena, &message, detail,
                                 sizeof detail);
  if (code == QUBUS_WIRE_OK) {
    code = message_encode(message, out, error);
  } else {
    code = error_set(error, code, "%s: %s", method->name, detail);
  }
  qubus_arena_free(&arena);
  return code;
}

/// A call with a method of its own.
static int32_t prepare(
    qubus_client *client, const char *name, const char *text, uint64_t tag, qubus_call **out,
    qubus_error *error) {
  int32_t code = check_name(name, error);
  if (code != QUBUS_OK) return code;
  size_t count = strlen(name) + 1;
  method *owned = malloc(sizeof *owned + count);
  if (owned == NULL) return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a call");
  memcpy(owned + 1, name, count);
  *owned = (method){(const char *)(owned + 1), descriptor_of(name, "Request"),
                    descriptor_of(name, "Response"), is_repeatable(name)};
  code = call_create(client, call_text, owned, tag, out, error);
  if (code != QUBUS_OK) {
    free(owned);
    return code;
  }
  (*out)->owned_method = owned;
  code = encode_request(owned, text != NULL ? text : "{}", &(*out)->request, error);
  if (code != QUBUS_OK) {
    call_release(*out);
    *out = NULL;
  }
  return code;
}

int32_t qubus_call_json_start(
    qubus_client *client, const char *method, const char *request_json,
    int64_t timeout_milliseconds, uint64_t tag, qubus_call **out, qubus_error *error) {
  if (out != NULL) *out = NULL;
  int32_t code = client_check(client, error);
  if (code != QUBUS_OK) return code;
  if (out == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "out is NULL");
  code = prepare(client, method, request_json, tag, out, error);
  if (code != QUBUS_OK) return code;
  if (timeout_milliseconds == QUBUS_UNSET) timeout_milliseconds = client->call_timeout;
  code = call_begin(*out, deadline_after(timeout_milliseconds), error);
  if (code != QUBUS_OK) qubus_call_free(out);
  return code;
}

int32_t qubus_client_call_json(
    qubus_client *client, const char *method, const char *request_json,
    int64_t timeout_milliseconds, qubus_text **out, qubus_error *error) {
  if (out != NULL) *out = NULL;
  int32_t code = client_check(client, error);
  if (code != QUBUS_OK) return code;
  if (out == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "out is NULL");
  qubus_call *call;
  code = prepare(client, method, request_json, 0, &call, error);
  if (code == QUBUS_OK) code = call_run(call, timeout_milliseconds, error);
  if (code != QUBUS_OK) return code;
  code = qubus_call_take_text(call, out, error);
  qubus_call_free(&call);
  return code;
}

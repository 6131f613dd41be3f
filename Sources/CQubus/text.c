#include "internal.h"

#include <stdlib.h>
#include <string.h>

const char *qubus_text_data(const qubus_text *text) {
  return text != NULL && text->json.data != NULL ? text->json.data : "";
}

uint64_t qubus_text_bytes(const qubus_text *text) { return text != NULL ? text->json.count : 0; }

void qubus_text_free(qubus_text **text) {
  if (text == NULL || *text == NULL) return;
  qubus_json_free(&(*text)->json);
  free(*text);
  *text = NULL;
}

int32_t text_of(const ProtobufCMessage *message, qubus_text **out, qubus_error *error) {
  qubus_text *text = calloc(1, sizeof *text);
  if (text == NULL) return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a text");
  qubus_json_append(&text->json, message);
  if (text->json.is_out_of_memory) {
    qubus_text_free(&text);
    return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a text");
  }
  *out = text;
  return QUBUS_OK;
}

size_t message_budget(size_t count) {
  // protobuf-c needs up to 72 times the input for messages of many small fields.
  size_t ceiling = (size_t)1 << 32;
  return count > ceiling / 80 ? ceiling : count * 80 + 65536;
}

int32_t message_decode(
    const ProtobufCMessageDescriptor *descriptor, const void *data, size_t count,
    qubus_arena *arena, ProtobufCMessage **out, qubus_error *error) {
  // A response may be long (a page of 1,000 jobs), and a newer server may know more values.
  static const qubus_wire_limits limits = {32, 1u << 24, 1u << 30, 1u << 30, 1, 0};
  char detail[256];
  *out = NULL;
  int32_t code = qubus_wire_check(descriptor, data, count, &limits, detail, sizeof detail);
  if (code != QUBUS_OK) {
    return error_set(error, QUBUS_E_PROTOCOL_ERROR, "the server's %s: %s (%s)",
                     descriptor->short_name, detail, qubus_error_name(code));
  }
  *out = protobuf_c_message_unpack(descriptor, qubus_arena_allocator(arena), count, data);
  if (*out != NULL) return QUBUS_OK;
  if (arena->is_exhausted) {
    return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for the server's %s of %zu bytes",
                     descriptor->short_name, count);
  }
  return error_set(error, QUBUS_E_PROTOCOL_ERROR, "the server's %s cannot be unpacked",
                   descriptor->short_name);
}

int32_t message_encode(const ProtobufCMessage *message, zmq_msg_t *out, qubus_error *error) {
  size_t count = protobuf_c_message_get_packed_size(message);
  if (zmq_msg_init_size(out, count) != 0) {
    zmq_msg_init(out);
    return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a message of %zu bytes", count);
  }
  protobuf_c_message_pack(message, zmq_msg_data(out));
  return QUBUS_OK;
}

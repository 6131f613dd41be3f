/// The frames of a step, written and read by hand: no message is built, nothing is allocated.
#include <string.h>

#include "session.h"

// Writing

static uint8_t *put_varint(uint8_t *at, uint64_t value) {
  while (value >= 0x80) {
    *at++ = (uint8_t)(value | 0x80);
    value >>= 7;
  }
  *at++ = (uint8_t)value;
  return at;
}

/// A field of wire type 0; left out when it is 0, as proto3 wants.
static uint8_t *put_number(uint8_t *at, uint32_t field, uint64_t value) {
  if (value == 0) return at;
  return put_varint(put_varint(at, field << 3), value);
}

static uint8_t *put_bytes(uint8_t *at, uint32_t field, const void *data, size_t count) {
  at = put_varint(put_varint(at, field << 3 | 2), count);
  memcpy(at, data, count);
  return at + count;
}

size_t step_put_envelope(const step *step, uint8_t *out) {
  uint8_t shape[24], descriptor[64];
  uint8_t *end = put_varint(shape, step->rows);
  end = put_varint(end, step->session->parameter_count);
  uint8_t *at = put_number(descriptor, 1, QUBUS_TYPE_FLOAT64);
  at = put_bytes(at, 2, shape, (size_t)(end - shape));
  at = put_number(at, 3, step->bytes);
  at = put_varint(at, 4 << 3 | 5);
  memcpy(at, &step->crc32c, sizeof step->crc32c);
  at += sizeof step->crc32c;
  size_t descriptor_bytes = (size_t)(at - descriptor);
  at = put_number(out, 1, 1);
  at = put_number(at, 2, QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_CALL);
  at = put_number(at, 3, step->call->id);
  at = put_bytes(at, 4, "Step", 4);
  at = put_number(at, 5, connection_time_left(step->call));
  ProtobufCBinaryData token = credentials_token(step->session->client);
  if (token.len > 0) at = put_bytes(at, 9, token.data, token.len);
  at = put_bytes(at, 12, descriptor, descriptor_bytes);
  return (size_t)(at - out);
}

size_t step_put_request(const step *step, uint8_t *out) {
  uint8_t *at = put_bytes(out, 1, step->session->id_bytes, session_id_bytes);
  at = put_number(at, 2, step->sequence);
  at = put_number(at, 3, step->outputs);
  at = put_number(at, 4, step->shots);
  if (step->target_error != 0) {
    at = put_varint(at, 5 << 3 | 1);
    memcpy(at, &step->target_error, sizeof step->target_error);
    at += sizeof step->target_error;
  }
  return (size_t)(at - out);
}

// Reading

typedef struct field {
  uint32_t number, type;
  uint64_t value;         ///< of types 0, 1 and 5
  const uint8_t *data;    ///< of type 2
  size_t count;
} field;

static const uint8_t *read_varint(const uint8_t *at, const uint8_t *end, uint64_t *out) {
  uint64_t value = 0;
  for (unsigned shift = 0; at < end && shift < 64; shift += 7) {
    uint8_t byte = *at++;
    if (shift == 63 && byte > 1) return NULL;
    value |= (uint64_t)(byte & 0x7F) << shift;
    if (byte < 0x80) {
      *out = value;
      return at;
    }
  }
  return NULL;
}

/// The next field, or NULL when the bytes are no protobuf message.
static const uint8_t *read_field(const uint8_t *at, const uint8_t *end, field *out) {
  uint64_t tag, count;
  at = read_varint(at, end, &tag);
  if (at == NULL || tag >> 3 == 0 || tag > UINT32_MAX) return NULL;
  out->number = (uint32_t)(tag >> 3);
  out->type = (uint32_t)(tag & 7);
  out->value = 0;
  out->data = at;
  out->count = 0;
  switch (out->type) {
    case 0: return read_varint(at, end, &out->value);
    case 1:
    case 5: {
      size_t size = out->type == 1 ? 8 : 4;
      if ((size_t)(end - at) < size) return NULL;
      memcpy(&out->value, at, size);
      return at + size;
    }
    case 2:
      at = read_varint(at, end, &count);
      if (at == NULL || count > (size_t)(end - at)) return NULL;
      out->data = at;
      out->count = (size_t)count;
      return at + count;
    default: return NULL;
  }
}

static void add_axis(attachment *out, uint64_t size) {
  if (out->rank < 3) out->shape[out->rank] = size;
  out->rank++;
}

static int32_t scan_descriptor(const uint8_t *data, size_t count, attachment *out) {
  const uint8_t *end = data + count;
  out->data_type = 0;
  out->rank = 0;
  out->bytes = 0;
  out->crc32c = 0;
  while (data < end) {
    field f;
    data = read_field(data, end, &f);
    if (data == NULL) return 0;
    switch (f.number << 3 | f.type) {
      case 1 << 3 | 0: out->data_type = (int32_t)f.value; break;
      case 2 << 3 | 0: add_axis(out, f.value); break;
      case 2 << 3 | 2:
        for (const uint8_t *at = f.data; at < f.data + f.count;) {
          uint64_t size;
          at = read_varint(at, f.data + f.count, &size);
          if (at == NULL) return 0;
          add_axis(out, size);
        }
        break;
      case 3 << 3 | 0: out->bytes = f.value; break;
      case 4 << 3 | 5: out->crc32c = (uint32_t)f.value; break;
      default: return 0;
    }
  }
  return 1;
}

int32_t step_scan_envelope(const uint8_t *data, size_t count, scanned *out) {
  const uint8_t *end = data + count;
  uint64_t kind = 0;
  out->call_id = 0;
  out->instance_bytes = 0;
  out->attachment_count = 0;
  while (data < end) {
    field f;
    data = read_field(data, end, &f);
    if (data == NULL) return 0;
    switch (f.number << 3 | f.type) {
      case 1 << 3 | 0:
        if (f.value != 1) return 0;
        break;
      case 2 << 3 | 0: kind = f.value; break;
      case 3 << 3 | 0: out->call_id = f.value; break;
      case 7 << 3 | 2:
        if (f.count != 0) return 0;  // what a status says is read in the general way
        break;
      case 11 << 3 | 2:
        out->instance = f.data;
        out->instance_bytes = f.count;
        break;
      case 12 << 3 | 2:
        if (out->attachment_count == step_attachments_maximum ||
            !scan_descriptor(f.data, f.count, &out->attachments[out->attachment_count++])) {
          return 0;
        }
        break;
      default: return 0;
    }
  }
  return kind == QUBUS__V1__MESSAGE_KIND__MESSAGE_KIND_FINAL;
}

int32_t step_scan_response(const uint8_t *data, size_t count, step_facts *out) {
  const uint8_t *end = data + count;
  memset(out, 0, sizeof *out);
  while (data < end) {
    field f;
    data = read_field(data, end, &f);
    if (data == NULL) return 0;
    switch (f.number << 3 | f.type) {
      case 1 << 3 | 0: out->sequence = f.value; break;
      case 2 << 3 | 0: out->arrays = (uint32_t)f.value; break;
      case 3 << 3 | 0: out->shots_used = f.value; break;
      case 4 << 3 | 0: out->device_nanoseconds = f.value; break;
      case 5 << 3 | 0: out->was_repeated = f.value != 0; break;
      case 6 << 3 | 0: out->was_rebuilt = f.value != 0; break;
      case 7 << 3 | 1: memcpy(&out->norm_drift, &f.value, sizeof out->norm_drift); break;
      default: break;  // of a newer server
    }
  }
  return 1;
}

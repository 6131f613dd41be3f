#include "direct_parts.h"

#include <stdlib.h>
#include <string.h>

enum { kept_bytes = 1 << 22 };  ///< a larger buffer goes back once it is empty

static const uint64_t message_maximum = (uint64_t)1 << 32;

int32_t direct_reserve(
    uint8_t **buffer, size_t *room, size_t *start, size_t *end, size_t bytes) {
  size_t kept = *end - *start;
  if (*room - *end >= bytes) return 1;
  if (*start > 0) {
    memmove(*buffer, *buffer + *start, kept);
    *start = 0;
    *end = kept;
    if (*room - kept >= bytes) return 1;
  }
  size_t wanted = kept + bytes;
  if (wanted < kept_bytes && wanted < *room * 2) wanted = *room * 2;
  uint8_t *grown = realloc(*buffer, wanted);
  if (grown == NULL) return 0;
  *buffer = grown;
  *room = wanted;
  return 1;
}

void direct_settle(uint8_t **buffer, size_t *room, size_t *start, size_t *end) {
  if (*start != *end) return;
  *start = *end = 0;
  if (*room <= kept_bytes) return;
  free(*buffer);
  *buffer = NULL;
  *room = 0;
}

size_t direct_write_header(uint8_t *header, uint8_t flags, uint64_t bytes) {
  if (bytes < 256) {
    header[0] = flags;
    header[1] = (uint8_t)bytes;
    return 2;
  }
  header[0] = flags | flag_long;
  for (int i = 0; i < 8; i++) header[1 + i] = (uint8_t)(bytes >> (56 - 8 * i));
  return header_maximum;
}

int direct_read_place(
    const uint8_t *buffer, size_t buffer_end, size_t at, frame_place *out, size_t *missing) {
  size_t there = buffer_end - at;
  *missing = 1;
  if (there < 2) return 0;
  const uint8_t *data = buffer + at;
  out->flags = data[0];
  if (data[0] & ~(flag_more | flag_long | flag_command)) return -1;
  if ((data[0] & flag_command) && (data[0] & flag_more)) return -1;
  size_t header = data[0] & flag_long ? header_maximum : 2;
  uint64_t bytes = data[1];
  if (data[0] & flag_long) {
    if (there < header) return 0;
    bytes = 0;
    for (int i = 0; i < 8; i++) bytes = bytes << 8 | data[1 + i];
    if (bytes > message_maximum) return -1;
  }
  out->start = at + header;
  out->end = out->start + bytes;
  if (out->end <= buffer_end) return 1;
  *missing = out->end - buffer_end;
  return 0;
}

#include <string.h>

#include "qubus_wire.h"

/// Bytes of the well-formed sequence at `s` (Unicode 15, table 3-7), or 0.
static size_t sequence_length(const uint8_t *s, size_t left) {
  uint8_t lead = s[0];
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (left < length) return 0;
  uint8_t low = 0x80, high = 0xBF;
  if (lead == 0xE0) low = 0xA0;
  if (lead == 0xED) high = 0x9F;
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;
  if (s[1] < low || s[1] > high) return 0;
  for (size_t i = 2; i < length; i++) {
    if (s[i] < 0x80 || s[i] > 0xBF) return 0;
  }
  return length;
}

size_t qubus_wire_invalid_utf8_offset(const uint8_t *data, size_t count) {
  size_t i = 0;
  while (i < count) {
    if (count - i >= 8) {
      uint64_t word;
      memcpy(&word, data + i, 8);
      if ((word & 0x8080808080808080u) == 0) {
        i += 8;
        continue;
      }
    }
    size_t length = sequence_length(data + i, count - i);
    if (length == 0) return i;
    i += length;
  }
  return SIZE_MAX;
}

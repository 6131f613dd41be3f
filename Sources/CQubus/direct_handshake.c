#include "direct_parts.h"

#include <stdlib.h>
#include <string.h>

static int32_t is_command(const uint8_t *data, size_t bytes, const char *name) {
  size_t length = strlen(name);
  return bytes > length && data[0] == length && memcmp(data + 1, name, length) == 0;
}

/// Seals the messages that waited for the end of the handshake; 0 without memory.
static int32_t seal_kept(direct *d) {
  uint8_t *plain = d->out;
  size_t at = d->out_start, end = d->out_end, missing;
  frame_place place;
  d->out = NULL;
  d->out_room = d->out_start = d->out_end = 0;
  int32_t is_kept = 1;
  while (is_kept && direct_read_place(plain, end, at, &place, &missing) == 1) {
    size_t bytes = place.end - place.start, sealed = bytes + curve_extra_bytes;
    is_kept = direct_reserve(&d->out, &d->out_room, &d->out_start, &d->out_end, header_maximum + sealed);
    if (is_kept) {
      d->out_end += direct_write_header(d->out + d->out_end, 0, sealed);
      uint8_t flags = place.flags & flag_more ? curve_flag_more : 0;
      curve_seal(&d->curve, flags, plain + place.start, bytes, d->out + d->out_end);
      d->out_end += sealed;
    }
    at = place.end;
  }
  free(plain);
  return is_kept;
}

void direct_take_command(direct *d, const uint8_t *data, size_t bytes) {
  if (d->state == direct_open) {
    if (!is_command(data, bytes, "PING") || bytes < 7) return;
    // PONG with the context of the PING, which has 16 bytes at most (RFC 37).
    uint8_t pong[5 + 16] = "\4PONG";
    size_t context = bytes - 7 < 16 ? bytes - 7 : 16;
    memcpy(pong + 5, data + 7, context);
    direct_send_command(d, pong, 5 + context);
    return;
  }
  uint8_t initiate[curve_initiate_bytes];
  if (d->curve.is_used && is_command(data, bytes, "WELCOME")) {
    if (curve_welcome(&d->curve, data, bytes, initiate)) {
      direct_send_handshake(d, initiate, sizeof initiate);
    } else {
      direct_break_handshake(d, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, 0);
    }
  } else if (is_command(data, bytes, "READY") &&
             (!d->curve.is_used || curve_ready(&d->curve, data, bytes))) {
    d->state = direct_open;
    d->next_ping = monotonic_now() + beat_nanoseconds;
    if (d->curve.is_used && !seal_kept(d)) d->is_broken = 1;
    direct_flush(d);
  } else if (is_command(data, bytes, "ERROR")) {
    uint32_t status = 0;
    for (size_t i = 7; i < bytes && i < 10; i++) status = status * 10 + (data[i] - '0') % 10u;
    direct_break_handshake(d, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, status);
  } else {
    direct_break_handshake(d, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, 0);
  }
}

int32_t direct_take_greeting(direct *d) {
  while (d->in_end - d->in_start < greeting_bytes) {
    if (!direct_fill(d, 0)) return 0;
  }
  const uint8_t *data = d->in + d->in_start;
  static const char mechanisms[2][20] = {"NULL", "CURVE"};
  uint32_t mismatch = d->curve.is_used ? ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH : 0;
  if (data[0] != 0xFF || data[9] != 0x7F || data[10] < 3 ||
      memcmp(data + 12, mechanisms[d->curve.is_used], sizeof *mechanisms) != 0) {
    direct_break_handshake(d, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, mismatch);
    return 0;
  }
  d->in_start += greeting_bytes;
  d->state = direct_handshake;
  if (d->curve.is_used) {
    uint8_t hello[curve_hello_bytes];
    if (!curve_hello(&d->curve, hello)) {
      direct_break_handshake(d, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, 0);
      return 0;
    }
    direct_send_handshake(d, hello, sizeof hello);
  }
  return 1;
}

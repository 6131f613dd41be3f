#include "direct_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { in_bytes = 1 << 16 };

/// Reads what the socket has, of which `missing` bytes make the next frame whole, into a buffer; 0 when
/// it has none.
static int32_t read_some(
    direct *d, uint8_t **buffer, size_t *buffer_room, size_t *start, size_t *end, size_t missing) {
  if (!d->may_hold_more || d->is_broken) return 0;
  // Of a large frame no more than its rest, or its last piece would double the buffer.
  size_t room = missing > in_bytes || *end - *start > in_bytes ? missing : in_bytes;
  if (!direct_reserve(buffer, buffer_room, start, end, room)) {
    d->is_broken = 1;
    return 0;
  }
  ssize_t count;
  do {
    count = recv(d->descriptor, *buffer + *end, *buffer_room - *end, MSG_DONTWAIT);
  } while (count < 0 && errno == EINTR);
  if (count <= 0) {
    d->may_hold_more = 0;
    if (count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) d->is_broken = 1;
    return 0;
  }
  d->may_hold_more = (size_t)count == *buffer_room - *end;
  *end += (size_t)count;
  d->heard = monotonic_now();
  d->is_doubted = 0;
  return 1;
}

/// The flags of a sealed frame as ZMTP has them.
static uint8_t flags_shown(uint8_t sealed) {
  if (sealed & curve_flag_command) return flag_command;
  return sealed & curve_flag_more ? flag_more : 0;
}

/// Puts a frame behind those that can be read; 0 without memory.
static int32_t append(direct *d, uint8_t flags, const uint8_t *data, size_t bytes) {
  if (!direct_reserve(&d->in, &d->in_room, &d->in_start, &d->in_end, header_maximum + bytes)) return 0;
  d->in_end += direct_write_header(d->in + d->in_end, flags, bytes);
  if (bytes > 0) memcpy(d->in + d->in_end, data, bytes);
  d->in_end += bytes;
  return 1;
}

/// Puts the greeting, or the next frame, from `raw` into `in`, opened; 0 when it is not there whole, with
/// the bytes that are missing, or when the connection is broken.
static int32_t open_next(direct *d, size_t *missing) {
  frame_place place;
  if (d->state == direct_greeting) {
    size_t wanted = greeting_bytes - (d->in_end - d->in_start), there = d->raw_end - d->raw_start;
    size_t count = there < wanted ? there : wanted;
    *missing = 1;
    if (count == 0 || !direct_reserve(&d->in, &d->in_room, &d->in_start, &d->in_end, count)) return 0;
    memcpy(d->in + d->in_end, d->raw + d->raw_start, count);
    d->in_end += count;
    d->raw_start += count;
    return 1;
  }
  int there = direct_read_place(d->raw, d->raw_end, d->raw_start, &place, missing);
  if (there == 0) return 0;
  const uint8_t *plain = NULL;
  uint8_t flags = 0;
  size_t bytes = 0;
  if (there > 0 && place.flags & flag_command) {
    // In the clear there are commands of the handshake only.
    if (d->state != direct_open) plain = d->raw + place.start;
    flags = flag_command;
    bytes = place.end - place.start;
  } else if (there > 0) {
    plain = curve_open(&d->curve, d->raw + place.start, place.end - place.start, &flags, &bytes);
    flags = flags_shown(flags);
  }
  if (plain == NULL) {
    direct_break_handshake(d, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, 0);
    return 0;
  }
  if (!append(d, flags, plain, bytes)) {
    d->is_broken = 1;
    return 0;
  }
  d->raw_start = place.end;
  direct_settle(&d->raw, &d->raw_room, &d->raw_start, &d->raw_end);
  return 1;
}

int32_t direct_fill(direct *d, size_t missing) {
  if (!d->curve.is_used) {
    return read_some(d, &d->in, &d->in_room, &d->in_start, &d->in_end, missing);
  }
  for (;;) {
    if (open_next(d, &missing)) return 1;
    if (!read_some(d, &d->raw, &d->raw_room, &d->raw_start, &d->raw_end, missing)) return 0;
  }
}

/// libzmq puts its heartbeats between the frames of a message, too: they are taken out.
static void remove_bytes(direct *d, size_t start, size_t end) {
  if (start == d->in_start) {
    d->in_start = end;
    return;
  }
  memmove(d->in + start, d->in + end, d->in_end - end);
  d->in_end -= end - start;
}

/// Works commands off until a message lies at the front, whole; counts its frames.
static int32_t find_message(direct *d) {
  size_t at = d->in_start, missing;
  uint32_t frames = 0;
  frame_place place;
  for (;;) {
    int there = direct_read_place(d->in, d->in_end, at, &place, &missing);
    if (there == 0) {
      size_t offset = at - d->in_start;
      if (!direct_fill(d, missing)) return 0;
      at = d->in_start + offset;
      continue;
    }
    if (there < 0 || (!(place.flags & flag_command) && d->state != direct_open)) {
      direct_break_handshake(d, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, 0);
      return 0;
    }
    if (place.flags & flag_command) {
      direct_take_command(d, d->in + place.start, place.end - place.start);
      remove_bytes(d, at, place.end);
      if (frames == 0) at = d->in_start;
      if (d->is_broken) return 0;
      continue;
    }
    at = place.end;
    frames++;
    if (place.flags & flag_more) continue;
    d->frames_left = frames;
    return 1;
  }
}

int32_t direct_receive(direct *d, zmq_msg_t *frame, int32_t *more) {
  *more = 0;
  if (d->descriptor < 0) return 0;
  if (d->state == direct_greeting && !direct_take_greeting(d)) return 0;
  if (d->frames_left == 0 && !find_message(d)) {
    direct_settle(&d->in, &d->in_room, &d->in_start, &d->in_end);
    return 0;
  }
  frame_place place;
  size_t missing;
  if (direct_read_place(d->in, d->in_end, d->in_start, &place, &missing) != 1) return 0;
  size_t bytes = place.end - place.start;
  zmq_msg_close(frame);
  if (zmq_msg_init_size(frame, bytes) != 0) {
    zmq_msg_init(frame);
    d->is_broken = 1;
    d->in_start = d->in_end = 0;
    d->frames_left = 0;
    return 0;
  }
  memcpy(zmq_msg_data(frame), d->in + place.start, bytes);
  d->in_start = place.end;
  d->frames_left--;
  *more = d->frames_left > 0;
  return 1;
}

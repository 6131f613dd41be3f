/// What the files of a direct connection share among themselves; see direct.h.
#ifndef QUBUS_DIRECT_PARTS_H
#define QUBUS_DIRECT_PARTS_H

#include <sys/uio.h>

#include "internal.h"

/// ZMTP 3.0 (RFC 23), framing.
enum {
  flag_more = 1,
  flag_long = 2,
  flag_command = 4,
  greeting_bytes = 64,
  header_maximum = 9,
};

static const int64_t beat_nanoseconds = 2000000000, silence_nanoseconds = 10000000000;

/// What lies at an offset of the buffer: the frame's flags, where its bytes start and their number.
typedef struct frame_place {
  uint8_t flags;
  size_t start, end;
} frame_place;

/// Room for `bytes` behind [*start, *end), moved to the front of the buffer if that helps; 0 without
/// memory.
int32_t direct_reserve(
    uint8_t **buffer, size_t *room, size_t *start, size_t *end, size_t bytes);
/// An empty buffer starts again at its front, and gives back what one large message made it take.
void direct_settle(uint8_t **buffer, size_t *room, size_t *start, size_t *end);
/// Ends a handshake as the monitor of a libzmq socket would tell it.
void direct_break_handshake(direct *d, uint16_t event, uint32_t value);

size_t direct_write_header(uint8_t *header, uint8_t flags, uint64_t bytes);
/// 1: it is there whole. 0: not yet; `*missing` bytes or more are. -1: it is no frame.
int direct_read_place(
    const uint8_t *buffer, size_t buffer_end, size_t at, frame_place *out, size_t *missing);

/// Nothing can be sent any more.
void direct_cut(direct *d);
/// Sends a part of the handshake before the messages that wait for its end: it fits into every socket's
/// buffer.
void direct_send_now(direct *d, const void *data, size_t bytes);
/// The same as a command, of `curve_initiate_bytes` at most.
void direct_send_handshake(direct *d, const void *data, size_t bytes);
/// Sends a command on an open connection.
void direct_send_command(direct *d, const void *data, size_t bytes);

/// More to read behind `in`, of which `missing` bytes make the next frame whole; 0 when there is none.
int32_t direct_fill(direct *d, size_t missing);
/// Takes the server's greeting and goes on with the handshake; 0 when it is not there yet, or wrong.
int32_t direct_take_greeting(direct *d);
void direct_take_command(direct *d, const uint8_t *data, size_t bytes);

#endif

/// A connection to a daemon of the same machine that libzmq does not stand in: ZMTP 3.0 (RFC 23)
/// spoken by the calling thread, with the mechanism NULL on the Unix socket and CURVE over loopback. Two
/// threads fewer wake for every message than with libzmq, whose I/O thread reads and writes for the
/// caller (decision 0017).
///
/// Everything here runs under the mutex of the client and never blocks, but for a listener of loopback
/// whose queue is full (20 ms).
#ifndef QUBUS_DIRECT_H
#define QUBUS_DIRECT_H

#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#include "curve.h"

typedef enum direct_state {
  direct_greeting,  ///< the server's greeting is awaited
  direct_handshake, ///< its READY is, and with CURVE its WELCOME before
  direct_open,
} direct_state;

typedef struct direct {
  int descriptor;             ///< -1: there is no connection
  direct_state state;
  int32_t is_broken;          ///< nothing more comes; what was received whole is still there
  uint16_t failure;           ///< of a broken handshake: ZMQ_EVENT_HANDSHAKE_FAILED_*
  uint32_t failure_value;     ///< as the monitor of a libzmq socket tells it
  int32_t is_cut;             ///< nothing can be sent any more
  int32_t is_doubted;         ///< a PING asks whether a silent server lives
  int32_t may_hold_more;      ///< the socket was not read empty since it was last looked at
  uint32_t frames_left;       ///< of the message whose frames are being handed out
  uint8_t *in;                ///< what was received; not yet handed out: [in_start, in_end)
  size_t in_room, in_start, in_end;
  uint8_t *out;               ///< what the socket did not take yet: [out_start, out_end)
  size_t out_room, out_start, out_end;
  int64_t heard, next_ping;   ///< ns of the monotonic clock
  curve curve;                ///< with it `in` and, until READY, `out` hold what is not sealed
  uint8_t *raw;               ///< what was received sealed: [raw_start, raw_end)
  size_t raw_room, raw_start, raw_end;
  uint8_t *sealed;            ///< the message that is being sent
  size_t sealed_room;
} direct;

/// The keys of a client and of its server; of an endpoint that is not encrypted all NULL.
typedef struct direct_keys {
  const uint8_t *server_key, *public_key, *secret_key;
} direct_keys;

/// Whether `endpoint` can be reached this way.
int32_t direct_serves(const char *endpoint);
/// Begins a connection to an endpoint that `direct_serves`. Returns 0, or errno.
int direct_connect(direct *d, const char *endpoint, direct_keys keys);
/// Ends it; what is not sent yet gets `linger_milliseconds` to leave.
void direct_close(direct *d, int linger_milliseconds);
/// Sends a message whole, or keeps what the socket does not take now (`direct_has_rest`). What a
/// connection does not take that the server has ended is dropped: what the server sent before comes
/// first, then its end.
/// - Returns: 0 when there is no connection.
int32_t direct_send(direct *d, const void *const *frames, const size_t *sizes, size_t count);
int32_t direct_has_rest(const direct *d);
/// Sends what is left, as far as the socket takes it.
void direct_flush(direct *d);
/// The next frame into an initialised `frame`, and whether others of its message follow; 0 when there
/// is none. Frames come once their message is whole.
int32_t direct_receive(direct *d, zmq_msg_t *frame, int32_t *more);
/// When `direct_beat` is due; never before the handshake is over.
int64_t direct_next_beat(const direct *d);
/// Sends a PING; 0 when the server has been silent for too long. What has come meanwhile has to be
/// received before the next one.
int32_t direct_beat(direct *d, int64_t now);

#endif

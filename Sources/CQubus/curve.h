/// The client's side of CurveZMQ (RFC 26) as bytes in and out: what libzmq does for a socket, for a
/// connection that it does not stand in (decision 0017). The cryptography is libsodium's, the one that
/// libzmq brings; where it brings none there are no such connections.
#ifndef QUBUS_CURVE_H
#define QUBUS_CURVE_H

#include <stddef.h>
#include <stdint.h>

#include "key.h"

enum {
  curve_hello_bytes = 200,
  curve_initiate_bytes = 292,
  /// What a sealed frame has besides its header and its content.
  curve_extra_bytes = 33,
  curve_flag_more = 1,
  curve_flag_command = 2,
};

typedef struct curve {
  uint8_t server_key[key_bytes], public_key[key_bytes], secret_key[key_bytes];
  uint8_t short_public[key_bytes], short_secret[key_bytes]; ///< of this connection alone
  uint8_t shared[key_bytes];   ///< of both short keys, from WELCOME on
  uint64_t sent, received;     ///< nonces
  int32_t is_used, is_welcome; ///< is_welcome: `shared` is known
} curve;

/// Whether libzmq's libsodium is there.
int32_t curve_is_there(void);
/// New keys for a connection.
void curve_begin(
    curve *c, const uint8_t server_key[key_bytes], const uint8_t public_key[key_bytes],
    const uint8_t secret_key[key_bytes]);
/// Forgets all keys.
void curve_end(curve *c);
/// The body of HELLO; 0 when the server's key is none.
int32_t curve_hello(curve *c, uint8_t out[curve_hello_bytes]);
/// Takes the body of WELCOME and writes that of INITIATE; 0 when it is not from this server.
int32_t curve_welcome(
    curve *c, const uint8_t *data, size_t bytes, uint8_t out[curve_initiate_bytes]);
/// Takes the body of READY; 0 when it is not from this server.
int32_t curve_ready(curve *c, const uint8_t *data, size_t bytes);
/// Writes a frame's content, `bytes + curve_extra_bytes`, sealed.
void curve_seal(curve *c, uint8_t flags, const void *content, size_t bytes, uint8_t *out);
/// Opens a frame's content in place.
/// - Returns: where the plain content starts, NULL when it was not sealed for this place.
const uint8_t *curve_open(
    curve *c, uint8_t *data, size_t bytes, uint8_t *flags, size_t *plain_bytes);

#endif

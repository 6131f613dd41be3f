/// CURVE keys: as text, as files, new ones.
#ifndef QUBUS_KEY_H
#define QUBUS_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "qubus.h"

enum { key_bytes = 32, key_characters = QUBUS_KEY_CAPACITY - 1 };

/// Decodes 40 Z85 characters; 0 when `text` is anything else.
int32_t key_parse(const char *text, size_t count, uint8_t out[key_bytes]);
/// The public half of a secret key; 0 when libzmq was built without CURVE.
int32_t key_public(const uint8_t secret[key_bytes], uint8_t out[key_bytes]);
/// As text, for messages about public keys.
void key_text(const uint8_t key[key_bytes], char out[QUBUS_KEY_CAPACITY]);
/// Reads a client's key pair from a file that only its owner may read.
int32_t key_read_pair(
    const char *path, uint8_t public_key[key_bytes], uint8_t secret_key[key_bytes],
    qubus_error *error);
/// Reads a server's public key: `given` is the key or the path of a file with it. `source` names
/// where `given` is from; the text itself is not told, as it may be a secret that was put in the
/// wrong place.
int32_t key_read_server(
    const char *given, const char *source, uint8_t out[key_bytes], qubus_error *error);

#endif

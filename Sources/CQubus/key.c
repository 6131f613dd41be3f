#include "internal.h"

#include <string.h>

/// Z85 (ZeroMQ RFC 32) has the printable ASCII characters but these.
static int32_t is_z85(char c) { return c > ' ' && c <= '~' && strchr("\"',;\\_`|~", c) == NULL; }

int32_t key_parse(const char *text, size_t count, uint8_t out[key_bytes]) {
  if (count != key_characters) return 0;
  char copy[QUBUS_KEY_CAPACITY];
  for (size_t i = 0; i < count; i++) {
    if (!is_z85(text[i])) return 0;
  }
  memcpy(copy, text, count);
  copy[count] = 0;
  // It refuses groups of five that are more than 32 bits.
  int32_t is_key = zmq_z85_decode(out, copy) != NULL;
  explicit_bzero(copy, sizeof copy);
  return is_key;
}

void key_text(const uint8_t key[key_bytes], char out[QUBUS_KEY_CAPACITY]) {
  zmq_z85_encode(out, key, key_bytes);
}

int32_t key_public(const uint8_t secret[key_bytes], uint8_t out[key_bytes]) {
  char secret_text[QUBUS_KEY_CAPACITY], public_text[QUBUS_KEY_CAPACITY] = "";
  key_text(secret, secret_text);
  int32_t is_made = zmq_curve_public(public_text, secret_text) == 0;
  explicit_bzero(secret_text, sizeof secret_text);
  return is_made && key_parse(public_text, strlen(public_text), out);
}

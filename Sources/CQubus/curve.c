#include "internal.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

enum {
  nonce_bytes = 24,
  mac_bytes = 16,
  cookie_bytes = 96,
  welcome_bytes = 168,
  ready_minimum = 30,
  long_nonce_bytes = 16, ///< of a nonce that is drawn, behind its prefix of 8
};

/// libsodium, "Public-key authenticated encryption": crypto_box is what CurveZMQ is made of.
static struct {
  int (*init)(void);
  void (*random)(void *, size_t);
  int (*key_pair)(unsigned char *, unsigned char *);
  int (*share)(unsigned char *, const unsigned char *, const unsigned char *);
  int (*seal)(unsigned char *, const unsigned char *, unsigned long long, const unsigned char *,
              const unsigned char *);
  int (*open)(unsigned char *, const unsigned char *, unsigned long long, const unsigned char *,
              const unsigned char *);
  int32_t is_there;
} sodium;

static void look_for(void *library) {
  // A pointer to data is turned into one to a function as POSIX has it for dlsym.
  *(void **)&sodium.init = dlsym(library, "sodium_init");
  *(void **)&sodium.random = dlsym(library, "randombytes_buf");
  *(void **)&sodium.key_pair = dlsym(library, "crypto_box_keypair");
  *(void **)&sodium.share = dlsym(library, "crypto_box_beforenm");
  *(void **)&sodium.seal = dlsym(library, "crypto_box_easy_afternm");
  *(void **)&sodium.open = dlsym(library, "crypto_box_open_easy_afternm");
  sodium.is_there = sodium.init && sodium.random && sodium.key_pair && sodium.share &&
                    sodium.seal && sodium.open && sodium.init() >= 0;
}

static void look(void) {
  // Only the one that libzmq is using: nothing is loaded here.
  static const char *const names[] = {"libsodium.so.23", "libsodium.so.26"};
  for (size_t i = 0; i < sizeof names / sizeof *names && !sodium.is_there; i++) {
    void *library = dlopen(names[i], RTLD_NOW | RTLD_NOLOAD);
    if (library != NULL) look_for(library);
  }
}

int32_t curve_is_there(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, look);
  return sodium.is_there;
}

void curve_begin(
    curve *c, const uint8_t server_key[key_bytes], const uint8_t public_key[key_bytes],
    const uint8_t secret_key[key_bytes]) {
  memset(c, 0, sizeof *c);
  memcpy(c->server_key, server_key, key_bytes);
  memcpy(c->public_key, public_key, key_bytes);
  memcpy(c->secret_key, secret_key, key_bytes);
  sodium.key_pair(c->short_public, c->short_secret);
  c->is_used = 1;
}

void curve_end(curve *c) { explicit_bzero(c, sizeof *c); }

static void write_number(uint8_t *out, uint64_t number) {
  for (int i = 0; i < 8; i++) out[i] = (uint8_t)(number >> (56 - 8 * i));
}

static uint64_t read_number(const uint8_t *data) {
  uint64_t number = 0;
  for (int i = 0; i < 8; i++) number = number << 8 | data[i];
  return number;
}

/// `prefix` of 16 characters, or of 8, and the rest of a nonce.
static void make_nonce(uint8_t nonce[nonce_bytes], const char *prefix, const uint8_t *rest) {
  size_t length = strlen(prefix);
  memcpy(nonce, prefix, length);
  memcpy(nonce + length, rest, nonce_bytes - length);
}

int32_t curve_hello(curve *c, uint8_t out[curve_hello_bytes]) {
  uint8_t key[key_bytes], nonce[nonce_bytes];
  static const uint8_t zeros[64] = {0};
  memset(out, 0, curve_hello_bytes);
  memcpy(out, "\5HELLO\1", 7);
  memcpy(out + 80, c->short_public, key_bytes);
  write_number(out + 112, ++c->sent);
  make_nonce(nonce, "CurveZMQHELLO---", out + 112);
  int32_t is_key = sodium.share(key, c->server_key, c->short_secret) == 0;
  if (is_key) sodium.seal(out + 120, zeros, sizeof zeros, nonce, key);
  explicit_bzero(key, sizeof key);
  return is_key;
}

/// The long-term public key, a vouch for the short one, and what kind of socket this is.
static size_t write_vouched(curve *c, const uint8_t server_short[key_bytes], uint8_t *out) {
  static const char properties[] = "\13Socket-Type\0\0\0\6DEALER\10Identity\0\0\0";
  uint8_t key[key_bytes], nonce[nonce_bytes], keys[2 * key_bytes];
  memcpy(out, c->public_key, key_bytes);
  sodium.random(out + key_bytes, long_nonce_bytes);
  make_nonce(nonce, "VOUCH---", out + key_bytes);
  memcpy(keys, c->short_public, key_bytes);
  memcpy(keys + key_bytes, c->server_key, key_bytes);
  uint8_t *vouch = out + key_bytes + long_nonce_bytes;
  if (sodium.share(key, server_short, c->secret_key) != 0) return 0;
  sodium.seal(vouch, keys, sizeof keys, nonce, key);
  explicit_bzero(key, sizeof key);
  uint8_t *end = vouch + mac_bytes + sizeof keys;
  // With the NUL that ends the string: the last byte of an empty Identity's length.
  memcpy(end, properties, sizeof properties);
  return (size_t)(end - out) + sizeof properties;
}

int32_t curve_welcome(
    curve *c, const uint8_t *data, size_t bytes, uint8_t out[curve_initiate_bytes]) {
  uint8_t key[key_bytes], nonce[nonce_bytes], opened[key_bytes + cookie_bytes];
  uint8_t plain[curve_initiate_bytes];
  if (bytes != welcome_bytes || c->is_welcome) return 0;
  make_nonce(nonce, "WELCOME-", data + 8);
  if (sodium.share(key, c->server_key, c->short_secret) != 0) return 0;
  int opening = sodium.open(opened, data + 24, welcome_bytes - 24, nonce, key);
  explicit_bzero(key, sizeof key);
  if (opening != 0 || sodium.share(c->shared, opened, c->short_secret) != 0) return 0;
  size_t count = write_vouched(c, opened, plain);
  if (count + 113 + mac_bytes != curve_initiate_bytes) return 0;
  memcpy(out, "\10INITIATE", 9);
  memcpy(out + 9, opened + key_bytes, cookie_bytes);
  write_number(out + 105, ++c->sent);
  make_nonce(nonce, "CurveZMQINITIATE", out + 105);
  sodium.seal(out + 113, plain, count, nonce, c->shared);
  c->is_welcome = 1;
  return 1;
}

int32_t curve_ready(curve *c, const uint8_t *data, size_t bytes) {
  uint8_t nonce[nonce_bytes], properties[512];
  if (!c->is_welcome || bytes < ready_minimum || bytes - 14 - mac_bytes > sizeof properties) return 0;
  make_nonce(nonce, "CurveZMQREADY---", data + 6);
  c->received = read_number(data + 6);
  return sodium.open(properties, data + 14, bytes - 14, nonce, c->shared) == 0;
}

void curve_seal(curve *c, uint8_t flags, const void *content, size_t bytes, uint8_t *out) {
  uint8_t nonce[nonce_bytes];
  memcpy(out, "\7MESSAGE", 8);
  write_number(out + 8, ++c->sent);
  make_nonce(nonce, "CurveZMQMESSAGEC", out + 8);
  uint8_t *plain = out + 16 + mac_bytes;
  plain[0] = flags;
  if (bytes > 0) memcpy(plain + 1, content, bytes);
  // In place: the authenticator comes before what it stands for.
  sodium.seal(out + 16, plain, bytes + 1, nonce, c->shared);
}

const uint8_t *curve_open(
    curve *c, uint8_t *data, size_t bytes, uint8_t *flags, size_t *plain_bytes) {
  uint8_t nonce[nonce_bytes];
  if (!c->is_welcome || bytes < curve_extra_bytes || memcmp(data, "\7MESSAGE", 8) != 0) return NULL;
  uint64_t number = read_number(data + 8);
  // What came before is not taken again.
  if (number <= c->received) return NULL;
  make_nonce(nonce, "CurveZMQMESSAGES", data + 8);
  uint8_t *plain = data + 16 + mac_bytes;
  if (sodium.open(plain, data + 16, bytes - 16, nonce, c->shared) != 0) return NULL;
  c->received = number;
  *flags = plain[0];
  *plain_bytes = bytes - curve_extra_bytes;
  return plain + 1;
}

/// Key files: `public = "…"` and `secret = "…"`, blank lines, and comments that begin with #.
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { file_maximum = 4096 };

/// What a file holds; `lines` tells where each was.
typedef struct contents {
  uint8_t public_key[key_bytes], secret_key[key_bytes];
  int32_t public_line, secret_line;
} contents;

typedef struct span {
  const char *at;
  size_t count;
} span;

static span trim(span s) {
  while (s.count > 0 && strchr(" \t\r", s.at[0]) != NULL && s.at[0]) s.at++, s.count--;
  while (s.count > 0 && strchr(" \t\r", s.at[s.count - 1]) != NULL && s.at[s.count - 1]) s.count--;
  return s;
}

static int32_t equals(span s, const char *word) {
  return s.count == strlen(word) && memcmp(s.at, word, s.count) == 0;
}

/// Takes in one line; returns NULL or what is wrong with it.
static const char *read_line(span line, int32_t number, contents *into) {
  line = trim(line);
  // A key alone on its line; none begins with #, which would be more than 32 bits.
  uint8_t alone[key_bytes];
  if (key_parse(line.at, line.count, alone)) {
    int32_t is_second = into->public_line != 0;
    if (!is_second) memcpy(into->public_key, alone, key_bytes);
    into->public_line = number;
    explicit_bzero(alone, sizeof alone);
    return is_second ? "holds a second public key" : NULL;
  }
  if (line.count == 0 || line.at[0] == '#') return NULL;
  static const char unknown[] = "is neither a comment nor public = \"…\" or secret = \"…\"";
  const char *equal = memchr(line.at, '=', line.count);
  if (equal == NULL) return unknown;
  span name = trim((span){line.at, (size_t)(equal - line.at)});
  span value = trim((span){equal + 1, line.count - (size_t)(equal + 1 - line.at)});
  int32_t is_secret = equals(name, "secret");
  if (!is_secret && !equals(name, "public")) return unknown;
  int32_t *known = is_secret ? &into->secret_line : &into->public_line;
  if (*known) return is_secret ? "holds a second secret key" : "holds a second public key";
  *known = number;
  if (value.count < 2 || value.at[0] != '"' || value.at[value.count - 1] != '"' ||
      !key_parse(value.at + 1, value.count - 2,
                 is_secret ? into->secret_key : into->public_key)) {
    return "does not hold a key of 40 Z85 characters in quotes";
  }
  return NULL;
}

/// Opens a key file and checks what may be checked before it is read; -1 when it is refused.
static int open_file(
    const char *path, const char *what, int32_t is_secret, struct stat *told, qubus_error *error) {
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (file < 0 || fstat(file, told) != 0) {
    error_set(error, QUBUS_E_INVALID_KEY, "%s %.300s cannot be read: %s", what, path,
              strerror(errno));
  } else if (!S_ISREG(told->st_mode)) {
    error_set(error, QUBUS_E_INVALID_KEY, "%s %.300s is no regular file", what, path);
  } else if (is_secret && (told->st_mode & 077) != 0) {
    error_set(error, QUBUS_E_INVALID_KEY,
              "%s %.300s has mode %04o, so that others than its owner may use it; make it 0600, and "
              "make a new key if somebody may have read this one",
              what, path, (unsigned)(told->st_mode & 07777));
  } else if (told->st_size > file_maximum) {
    error_set(error, QUBUS_E_INVALID_KEY, "%s %.300s has %lld bytes; a key file has at most %d",
              what, path, (long long)told->st_size, file_maximum);
  } else {
    return file;
  }
  if (file >= 0) close(file);
  return -1;
}

static int32_t read_file(
    const char *path, const char *what, int32_t is_secret, contents *into, qubus_error *error) {
  memset(into, 0, sizeof *into);
  struct stat told;
  int file = open_file(path, what, is_secret, &told, error);
  if (file < 0) return QUBUS_E_INVALID_KEY;
  char text[file_maximum + 1];
  size_t count = 0;
  ssize_t taken = 1;
  while (count < sizeof text && taken > 0) {
    taken = read(file, text + count, sizeof text - count);
    if (taken > 0) count += (size_t)taken;
    if (taken < 0 && errno == EINTR) taken = 1;
  }
  int reason = errno;
  close(file);
  int32_t code = QUBUS_OK;
  if (taken < 0 || count > file_maximum) {
    code = error_set(error, QUBUS_E_INVALID_KEY, "%s %.300s cannot be read: %s", what, path,
                     taken < 0 ? strerror(reason) : "it grew meanwhile");
  }
  int32_t number = 1;
  for (const char *at = text; code == QUBUS_OK && at < text + count; number++) {
    const char *end = memchr(at, '\n', (size_t)(text + count - at));
    if (end == NULL) end = text + count;
    const char *problem = read_line((span){at, (size_t)(end - at)}, number, into);
    if (problem != NULL) {
      code = error_set(error, QUBUS_E_INVALID_KEY, "%s %.300s: line %d %s", what, path, number,
                       problem);
    }
    at = end + 1;
  }
  explicit_bzero(text, sizeof text);
  return code;
}

static int32_t check_pair(const contents *held, const char *path, qubus_error *error) {
  uint8_t derived[key_bytes];
  if (!held->public_line || !held->secret_line) {
    return error_set(error, QUBUS_E_INVALID_KEY, "key file %.300s has no line %s = \"…\"", path,
                     held->secret_line ? "public" : "secret");
  }
  if (!key_public(held->secret_key, derived)) {
    return error_set(error, QUBUS_E_INVALID_KEY,
                     "key file %.300s cannot be used: this libzmq was built without CURVE", path);
  }
  if (memcmp(derived, held->public_key, key_bytes) != 0) {
    return error_set(error, QUBUS_E_INVALID_KEY,
                     "key file %.300s: the public key of line %d is not that of the secret key of "
                     "line %d",
                     path, held->public_line, held->secret_line);
  }
  return QUBUS_OK;
}

int32_t key_read_pair(
    const char *path, uint8_t public_key[key_bytes], uint8_t secret_key[key_bytes],
    qubus_error *error) {
  uint8_t misplaced[key_bytes];
  if (key_parse(path, strlen(path), misplaced) && access(path, F_OK) != 0) {
    explicit_bzero(misplaced, sizeof misplaced);
    return error_set(error, QUBUS_E_INVALID_KEY,
                     "key_file is a key and not the path of a file; a secret key goes into "
                     "secret_key");
  }
  contents held;
  int32_t code = read_file(path, "key file", 1, &held, error);
  if (code == QUBUS_OK) code = check_pair(&held, path, error);
  if (code == QUBUS_OK) {
    memcpy(public_key, held.public_key, key_bytes);
    memcpy(secret_key, held.secret_key, key_bytes);
  }
  explicit_bzero(&held, sizeof held);
  return code;
}

int32_t key_read_server(
    const char *given, const char *source, uint8_t out[key_bytes], qubus_error *error) {
  // A relative path that can be a key is one: somebody else could put a file of that name there.
  int32_t has_folder = given[0] == '/' || strncmp(given, "./", 2) == 0 ||
                       strncmp(given, "../", 3) == 0;
  int32_t is_file = access(given, F_OK) == 0;
  if (!(has_folder && is_file) && key_parse(given, strlen(given), out)) return QUBUS_OK;
  if (!is_file) {
    return error_set(error, QUBUS_E_INVALID_KEY,
                     "%s is neither a key of 40 Z85 characters nor the path of a file; it has %zu "
                     "characters",
                     source, strlen(given));
  }
  contents held;
  int32_t code = read_file(given, "server key file", 0, &held, error);
  if (code == QUBUS_OK && held.secret_line) {
    code = error_set(error, QUBUS_E_INVALID_KEY,
                     "server key file %.300s: line %d holds a secret key; give the public key of the "
                     "server, which has no secret beside it",
                     given, held.secret_line);
  } else if (code == QUBUS_OK && !held.public_line) {
    code = error_set(error, QUBUS_E_INVALID_KEY, "server key file %.300s holds no key", given);
  }
  if (code == QUBUS_OK) memcpy(out, held.public_key, key_bytes);
  explicit_bzero(&held, sizeof held);
  return code;
}

// New keys

static int32_t write_all(int file, const char *text, size_t count) {
  while (count > 0) {
    ssize_t written = write(file, text, count);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return 0;
    text += written;
    count -= (size_t)written;
  }
  return fsync(file) == 0;
}

int32_t qubus_key_generate(const char *path, char *public_key, qubus_error *error) {
  error_clear(error);
  if (public_key != NULL) public_key[0] = 0;
  if (path == NULL || path[0] == 0 || public_key == NULL) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "path or public_key is NULL or empty");
  }
  char public_text[QUBUS_KEY_CAPACITY], secret_text[QUBUS_KEY_CAPACITY], text[256];
  if (zmq_curve_keypair(public_text, secret_text) != 0) {
    return error_set(error, QUBUS_E_INVALID_KEY, "this libzmq was built without CURVE");
  }
  int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  int32_t is_written = 0;
  if (file >= 0) {
    int count = snprintf(text, sizeof text, "# qubus client key\npublic = \"%s\"\nsecret = \"%s\"\n",
                         public_text, secret_text);
    is_written = fchmod(file, 0600) == 0 && write_all(file, text, (size_t)count);
    explicit_bzero(text, sizeof text);
  }
  explicit_bzero(secret_text, sizeof secret_text);
  int reason = errno;
  if (file >= 0) close(file);
  if (is_written) {
    memcpy(public_key, public_text, sizeof public_text);
    return QUBUS_OK;
  }
  if (file >= 0) unlink(path);
  return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                   reason == EEXIST ? "there is a file at %.300s already, and a key is never "
                                      "overwritten%.0s"
                                    : "the key file %.300s cannot be written: %s",
                   path, strerror(reason));
}

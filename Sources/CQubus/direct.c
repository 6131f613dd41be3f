#include "direct_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { connect_milliseconds = 20 };

static const char scheme[] = "ipc://";

int32_t direct_serves(const char *endpoint) {
  struct sockaddr_storage address;
  size_t length;
  if (strncmp(endpoint, scheme, sizeof scheme - 1) == 0) return 1;
  return endpoint_is_curve(endpoint) && endpoint_loopback(endpoint, &address, &length) &&
         curve_is_there();
}

void direct_break_handshake(direct *d, uint16_t event, uint32_t value) {
  d->is_broken = 1;
  d->failure = event;
  d->failure_value = value;
}

/// 0, or errno. Loopback answers at once, or its queue is full.
static int reach(direct *d, const struct sockaddr *address, socklen_t length) {
  d->descriptor =
      socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (d->descriptor < 0) return errno;
  if (address->sa_family != AF_UNIX) {
    int on = 1;
    setsockopt(d->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  if (connect(d->descriptor, address, length) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  struct pollfd polled = {d->descriptor, POLLOUT, 0};
  int failure = EAGAIN;
  socklen_t size = sizeof failure;
  if (poll(&polled, 1, connect_milliseconds) > 0) {
    getsockopt(d->descriptor, SOL_SOCKET, SO_ERROR, &failure, &size);
  }
  return failure;
}

static int reach_path(direct *d, const char *path) {
  size_t bytes = strlen(path);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (bytes == 0 || bytes >= sizeof address.sun_path) return ENAMETOOLONG;
  memcpy(address.sun_path, path, bytes);
  socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes + 1);
  if (path[0] == '@') {
    // Linux's abstract names: no file, and no NUL at the end.
    address.sun_path[0] = 0;
    length--;
  }
  return reach(d, (struct sockaddr *)&address, length);
}

static int reach_loopback(direct *d, const char *endpoint) {
  struct sockaddr_storage address, own;
  size_t length;
  if (!endpoint_loopback(endpoint, &address, &length)) return EINVAL;
  int failure = reach(d, (struct sockaddr *)&address, (socklen_t)length);
  socklen_t own_length = sizeof own;
  // Of a port that nobody listens at the system may make the socket's own: it would talk to itself.
  if (failure == 0 && getsockname(d->descriptor, (struct sockaddr *)&own, &own_length) == 0 &&
      own_length == length && memcmp(&own, &address, length) == 0) {
    return ECONNREFUSED;
  }
  return failure;
}

int direct_connect(direct *d, const char *endpoint, direct_keys keys) {
  static const uint8_t plain[greeting_bytes] = {
      0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F, 3, 0, 'N', 'U', 'L', 'L'};
  static const uint8_t encrypted[greeting_bytes] = {
      0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F, 3, 0, 'C', 'U', 'R', 'V', 'E'};
  static const char ready[] = "\5READY\13Socket-Type\0\0\0\6DEALER";
  memset(d, 0, sizeof *d);
  d->descriptor = -1;
  if (keys.server_key != NULL) {
    curve_begin(&d->curve, keys.server_key, keys.public_key, keys.secret_key);
  }
  int failure = d->curve.is_used ? reach_loopback(d, endpoint)
                                 : reach_path(d, endpoint + sizeof scheme - 1);
  if (failure == 0) {
    direct_send_now(d, d->curve.is_used ? encrypted : plain, greeting_bytes);
    if (!d->curve.is_used) direct_send_handshake(d, ready, sizeof ready - 1);
    if (d->is_cut) failure = ECONNREFUSED;
  }
  if (failure != 0) direct_close(d, 0);
  d->heard = monotonic_now();
  return failure;
}

void direct_close(direct *d, int linger_milliseconds) {
  int64_t until = monotonic_now() + (int64_t)linger_milliseconds * 1000000;
  while (d->descriptor >= 0 && linger_milliseconds > 0 && direct_has_rest(d)) {
    int64_t left = (until - monotonic_now()) / 1000000;
    struct pollfd polled = {d->descriptor, POLLOUT, 0};
    if (left <= 0 || poll(&polled, 1, (int)left) <= 0) break;
    size_t before = d->out_end - d->out_start;
    direct_flush(d);
    if (d->out_end - d->out_start == before) break;
  }
  if (d->descriptor >= 0) close(d->descriptor);
  d->descriptor = -1;
  free(d->in);
  free(d->out);
  free(d->raw);
  free(d->sealed);
  d->in = d->out = d->raw = d->sealed = NULL;
  d->in_room = d->in_start = d->in_end = d->out_room = d->out_start = d->out_end = 0;
  d->raw_room = d->raw_start = d->raw_end = d->sealed_room = 0;
  curve_end(&d->curve);
  d->frames_left = 0;
}

// Signs of life

int64_t direct_next_beat(const direct *d) {
  return d->state == direct_open ? d->next_ping : time_never;
}

int32_t direct_beat(direct *d, int64_t now) {
  if (now >= d->heard + silence_nanoseconds) {
    // This process may have slept while the server did not: one more chance.
    if (d->is_doubted) return 0;
    d->is_doubted = 1;
  }
  // The server counts us as gone after ten seconds (RFC 37: tenths of a second).
  static const uint8_t ping[] = {4, 'P', 'I', 'N', 'G', 0, 100};
  d->next_ping = now + beat_nanoseconds;
  direct_send_command(d, ping, sizeof ping);
  return 1;
}

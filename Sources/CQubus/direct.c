#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

enum {
  flag_more = 1,
  flag_long = 2,
  flag_command = 4,
  greeting_bytes = 64,
  frames_maximum = 8,
  header_maximum = 9,
  in_bytes = 1 << 16,
  kept_bytes = 1 << 22,  ///< a larger buffer goes back once it is empty
};

static const uint64_t message_maximum = (uint64_t)1 << 32;
static const int64_t beat_nanoseconds = 2000000000, silence_nanoseconds = 10000000000;
static const char scheme[] = "ipc://";

int32_t direct_serves(const char *endpoint) {
  return strncmp(endpoint, scheme, sizeof scheme - 1) == 0;
}

static void break_handshake(direct *d, uint16_t event, uint32_t value) {
  d->is_broken = 1;
  d->failure = event;
  d->failure_value = value;
}

/// Room for `bytes` behind [*start, *end), moved to the front of the buffer if that helps.
static int32_t reserve(
    uint8_t **buffer, size_t *room, size_t *start, size_t *end, size_t bytes) {
  size_t kept = *end - *start;
  if (*room - *end >= bytes) return 1;
  if (*start > 0) {
    memmove(*buffer, *buffer + *start, kept);
    *start = 0;
    *end = kept;
    if (*room - kept >= bytes) return 1;
  }
  size_t wanted = kept + bytes;
  if (wanted < kept_bytes && wanted < *room * 2) wanted = *room * 2;
  uint8_t *grown = realloc(*buffer, wanted);
  if (grown == NULL) return 0;
  *buffer = grown;
  *room = wanted;
  return 1;
}

/// An empty buffer starts again at its front, and gives back what one large message made it take.
static void settle(uint8_t **buffer, size_t *room, size_t *start, size_t *end) {
  if (*start != *end) return;
  *start = *end = 0;
  if (*room <= kept_bytes) return;
  free(*buffer);
  *buffer = NULL;
  *room = 0;
}

// Sending

static int32_t write_some(direct *d, struct iovec *parts, size_t count, size_t *written) {
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
  ssize_t sent;
  do {
    sent = sendmsg(d->descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) return 0;
  *written = sent < 0 ? 0 : (size_t)sent;
  return 1;
}

/// Keeps what is left of `parts` behind their first `written` bytes.
static int32_t keep_rest(direct *d, const struct iovec *parts, size_t count, size_t written) {
  size_t total = 0;
  for (size_t i = 0; i < count; i++) total += parts[i].iov_len;
  if (!reserve(&d->out, &d->out_room, &d->out_start, &d->out_end, total - written)) return 0;
  for (size_t i = 0; i < count; i++) {
    size_t skipped = written < parts[i].iov_len ? written : parts[i].iov_len;
    written -= skipped;
    if (skipped == parts[i].iov_len) continue;
    memcpy(d->out + d->out_end, (const uint8_t *)parts[i].iov_base + skipped,
           parts[i].iov_len - skipped);
    d->out_end += parts[i].iov_len - skipped;
  }
  return 1;
}

static void cut(direct *d) {
  d->is_cut = 1;
  d->out_start = d->out_end = 0;
}

static void send_parts(direct *d, struct iovec *parts, size_t count, int32_t may_go) {
  size_t written = 0, total = 0;
  for (size_t i = 0; i < count; i++) total += parts[i].iov_len;
  direct_flush(d);
  if (d->is_cut) return;
  if (may_go && d->out_start == d->out_end && !write_some(d, parts, count, &written)) {
    cut(d);
  } else if (written < total && !keep_rest(d, parts, count, written)) {
    // A torn message cannot be mended.
    cut(d);
    d->is_broken = 1;
  }
}

static size_t write_header(uint8_t *header, uint8_t flags, uint64_t bytes) {
  if (bytes < 256) {
    header[0] = flags;
    header[1] = (uint8_t)bytes;
    return 2;
  }
  header[0] = flags | flag_long;
  for (int i = 0; i < 8; i++) header[1 + i] = (uint8_t)(bytes >> (56 - 8 * i));
  return header_maximum;
}

int32_t direct_send(direct *d, const void *const *frames, const size_t *sizes, size_t count) {
  uint8_t headers[frames_maximum][header_maximum];
  struct iovec parts[2 * frames_maximum];
  if (d->descriptor < 0 || count > frames_maximum) return 0;
  for (size_t i = 0; i < count; i++) {
    size_t bytes = write_header(headers[i], i + 1 < count ? flag_more : 0, sizes[i]);
    parts[2 * i] = (struct iovec){headers[i], bytes};
    parts[2 * i + 1] = (struct iovec){(void *)(uintptr_t)frames[i], sizes[i]};
  }
  send_parts(d, parts, 2 * count, d->state == direct_open);
  return 1;
}

int32_t direct_has_rest(const direct *d) {
  return d->state == direct_open && d->out_start < d->out_end;
}

void direct_flush(direct *d) {
  if (d->descriptor < 0 || !direct_has_rest(d)) return;
  struct iovec part = {d->out + d->out_start, d->out_end - d->out_start};
  size_t written = 0;
  if (!write_some(d, &part, 1, &written)) {
    cut(d);
    return;
  }
  d->out_start += written;
  settle(&d->out, &d->out_room, &d->out_start, &d->out_end);
}

static void send_command(direct *d, const void *data, size_t bytes) {
  uint8_t header[header_maximum];
  struct iovec parts[2] = {{header, write_header(header, flag_command, bytes)},
                           {(void *)(uintptr_t)data, bytes}};
  send_parts(d, parts, 2, 1);
}

// Connecting

int direct_connect(direct *d, const char *endpoint) {
  const char *path = endpoint + sizeof scheme - 1;
  size_t bytes = strlen(path);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memset(d, 0, sizeof *d);
  d->descriptor = -1;
  if (bytes == 0 || bytes >= sizeof address.sun_path) return ENAMETOOLONG;
  memcpy(address.sun_path, path, bytes);
  socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes + 1);
  if (path[0] == '@') {
    // Linux's abstract names: no file, and no NUL at the end.
    address.sun_path[0] = 0;
    length--;
  }
  d->descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (d->descriptor < 0) return errno;
  static const uint8_t greeting[greeting_bytes] = {
      0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F, 3, 0, 'N', 'U', 'L', 'L'};
  static const char ready[] = "\5READY\13Socket-Type\0\0\0\6DEALER";
  struct iovec part = {(void *)(uintptr_t)greeting, sizeof greeting};
  int failure = connect(d->descriptor, (struct sockaddr *)&address, length) < 0 ? errno : 0;
  if (failure == 0) {
    send_parts(d, &part, 1, 1);
    send_command(d, ready, sizeof ready - 1);
    // They fit into every socket's buffer.
    if (d->is_cut || d->out_start < d->out_end) failure = ECONNREFUSED;
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
  d->in = d->out = NULL;
  d->in_room = d->in_start = d->in_end = d->out_room = d->out_start = d->out_end = 0;
  d->frames_left = 0;
}

// Receiving

/// What lies at an offset of the buffer: the frame's flags, where its bytes start and their number.
typedef struct frame_place {
  uint8_t flags;
  size_t start, end;
} frame_place;

/// 1: it is there whole. 0: not yet; `*missing` bytes or more are. -1: it is no frame.
static int read_place(const direct *d, size_t at, frame_place *out, size_t *missing) {
  size_t there = d->in_end - at;
  *missing = 1;
  if (there < 2) return 0;
  const uint8_t *data = d->in + at;
  out->flags = data[0];
  if (data[0] & ~(flag_more | flag_long | flag_command)) return -1;
  if ((data[0] & flag_command) && (data[0] & flag_more)) return -1;
  size_t header = data[0] & flag_long ? header_maximum : 2;
  uint64_t bytes = data[1];
  if (data[0] & flag_long) {
    if (there < header) return 0;
    bytes = 0;
    for (int i = 0; i < 8; i++) bytes = bytes << 8 | data[1 + i];
    if (bytes > message_maximum) return -1;
  }
  out->start = at + header;
  out->end = out->start + bytes;
  if (out->end <= d->in_end) return 1;
  *missing = out->end - d->in_end;
  return 0;
}

/// Reads what the socket has, of which `missing` bytes make the next frame whole; 0 when it has none.
static int32_t fill(direct *d, size_t missing) {
  if (!d->may_hold_more || d->is_broken) return 0;
  // Of a large frame no more than its rest, or its last piece would double the buffer.
  size_t room = missing > in_bytes || d->in_end - d->in_start > in_bytes ? missing : in_bytes;
  if (!reserve(&d->in, &d->in_room, &d->in_start, &d->in_end, room)) {
    d->is_broken = 1;
    return 0;
  }
  ssize_t count;
  do {
    count = recv(d->descriptor, d->in + d->in_end, d->in_room - d->in_end, MSG_DONTWAIT);
  } while (count < 0 && errno == EINTR);
  if (count <= 0) {
    d->may_hold_more = 0;
    if (count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) d->is_broken = 1;
    return 0;
  }
  d->may_hold_more = (size_t)count == d->in_room - d->in_end;
  d->in_end += (size_t)count;
  d->heard = monotonic_now();
  d->is_doubted = 0;
  return 1;
}

static int32_t is_command(const uint8_t *data, size_t bytes, const char *name) {
  size_t length = strlen(name);
  return bytes > length && data[0] == length && memcmp(data + 1, name, length) == 0;
}

static void take_command(direct *d, const uint8_t *data, size_t bytes) {
  if (d->state == direct_open) {
    if (!is_command(data, bytes, "PING") || bytes < 7) return;
    // PONG with the context of the PING, which has 16 bytes at most (RFC 37).
    uint8_t pong[5 + 16] = "\4PONG";
    size_t context = bytes - 7 < 16 ? bytes - 7 : 16;
    memcpy(pong + 5, data + 7, context);
    send_command(d, pong, 5 + context);
    return;
  }
  if (is_command(data, bytes, "READY")) {
    d->state = direct_open;
    d->next_ping = monotonic_now() + beat_nanoseconds;
    direct_flush(d);
  } else if (is_command(data, bytes, "ERROR")) {
    uint32_t status = 0;
    for (size_t i = 7; i < bytes && i < 10; i++) status = status * 10 + (data[i] - '0') % 10u;
    break_handshake(d, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, status);
  } else {
    break_handshake(d, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, 0);
  }
}

static int32_t take_greeting(direct *d) {
  while (d->in_end - d->in_start < greeting_bytes) {
    if (!fill(d, 0)) return 0;
  }
  const uint8_t *data = d->in + d->in_start;
  static const uint8_t null[20] = "NULL";
  if (data[0] != 0xFF || data[9] != 0x7F || data[10] < 3 ||
      memcmp(data + 12, null, sizeof null) != 0) {
    break_handshake(d, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, 0);
    return 0;
  }
  d->in_start += greeting_bytes;
  d->state = direct_handshake;
  return 1;
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
    int there = read_place(d, at, &place, &missing);
    if (there == 0) {
      size_t offset = at - d->in_start;
      if (!fill(d, missing)) return 0;
      at = d->in_start + offset;
      continue;
    }
    if (there < 0 || (!(place.flags & flag_command) && d->state != direct_open)) {
      break_handshake(d, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, 0);
      return 0;
    }
    if (place.flags & flag_command) {
      take_command(d, d->in + place.start, place.end - place.start);
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
  if (d->state == direct_greeting && !take_greeting(d)) return 0;
  if (d->frames_left == 0 && !find_message(d)) {
    settle(&d->in, &d->in_room, &d->in_start, &d->in_end);
    return 0;
  }
  frame_place place;
  size_t missing;
  if (read_place(d, d->in_start, &place, &missing) != 1) return 0;
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
  send_command(d, ping, sizeof ping);
  return 1;
}

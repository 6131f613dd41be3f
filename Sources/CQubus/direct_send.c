#include "direct_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { frames_maximum = 8 };

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
  if (!direct_reserve(&d->out, &d->out_room, &d->out_start, &d->out_end, total - written)) return 0;
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

void direct_cut(direct *d) {
  d->is_cut = 1;
  d->out_start = d->out_end = 0;
}

static void send_parts(direct *d, struct iovec *parts, size_t count, int32_t may_go) {
  size_t written = 0, total = 0;
  for (size_t i = 0; i < count; i++) total += parts[i].iov_len;
  direct_flush(d);
  if (d->is_cut) return;
  if (may_go && d->out_start == d->out_end && !write_some(d, parts, count, &written)) {
    direct_cut(d);
  } else if (written < total && !keep_rest(d, parts, count, written)) {
    // A torn message cannot be mended.
    direct_cut(d);
    d->is_broken = 1;
  }
}

/// Sends one message of frames, sealed; 0 without memory.
static int32_t send_sealed(
    direct *d, const void *const *frames, const size_t *sizes, size_t count, uint8_t last_flags) {
  size_t total = 0;
  for (size_t i = 0; i < count; i++) total += header_maximum + curve_extra_bytes + sizes[i];
  size_t start = 0, end = 0;
  if (!direct_reserve(&d->sealed, &d->sealed_room, &start, &end, total)) return 0;
  for (size_t i = 0; i < count; i++) {
    uint8_t flags = i + 1 < count ? curve_flag_more : last_flags;
    end += direct_write_header(d->sealed + end, 0, sizes[i] + curve_extra_bytes);
    curve_seal(&d->curve, flags, frames[i], sizes[i], d->sealed + end);
    end += sizes[i] + curve_extra_bytes;
  }
  struct iovec part = {d->sealed, end};
  send_parts(d, &part, 1, 1);
  end = 0;
  direct_settle(&d->sealed, &d->sealed_room, &start, &end);
  return 1;
}

int32_t direct_send(direct *d, const void *const *frames, const size_t *sizes, size_t count) {
  uint8_t headers[frames_maximum][header_maximum];
  struct iovec parts[2 * frames_maximum];
  if (d->descriptor < 0 || count > frames_maximum) return 0;
  if (d->curve.is_used && d->state == direct_open) return send_sealed(d, frames, sizes, count, 0);
  for (size_t i = 0; i < count; i++) {
    size_t bytes = direct_write_header(headers[i], i + 1 < count ? flag_more : 0, sizes[i]);
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
    direct_cut(d);
    return;
  }
  d->out_start += written;
  direct_settle(&d->out, &d->out_room, &d->out_start, &d->out_end);
}

void direct_send_now(direct *d, const void *data, size_t bytes) {
  struct iovec part = {(void *)(uintptr_t)data, bytes};
  size_t written = 0;
  if (write_some(d, &part, 1, &written) && written == bytes) return;
  direct_cut(d);
  d->is_broken = 1;
}

void direct_send_handshake(direct *d, const void *data, size_t bytes) {
  uint8_t frame[header_maximum + curve_initiate_bytes];
  size_t header = direct_write_header(frame, flag_command, bytes);
  memcpy(frame + header, data, bytes);
  direct_send_now(d, frame, header + bytes);
}

void direct_send_command(direct *d, const void *data, size_t bytes) {
  if (d->curve.is_used) {
    send_sealed(d, &data, &bytes, 1, curve_flag_command);
    return;
  }
  uint8_t header[header_maximum];
  struct iovec parts[2] = {{header, direct_write_header(header, flag_command, bytes)},
                           {(void *)(uintptr_t)data, bytes}};
  send_parts(d, parts, 2, 1);
}

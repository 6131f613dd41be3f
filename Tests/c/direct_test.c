/// The direct connection against a server of bytes: what it sends, what it takes, what it refuses.
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "direct.h"

enum { large = 4 << 20 };

static const uint8_t greeting[64] = {0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 1, 'N', 'U', 'L', 'L'};
static const uint8_t ready[] = "\4\51\5READY\13Socket-Type\0\0\0\6ROUTER\10Identity\0\0\0\0";
static const uint8_t client_ready[] = "\4\34\5READY\13Socket-Type\0\0\0\6DEALER";

static char endpoint[128];
static int listener = -1, server = -1;
static direct d;
static const direct_keys no_keys;

static void write_bytes(const void *data, size_t bytes) {
  CHECK(write(server, data, bytes) == (ssize_t)bytes);
}

static void read_bytes(void *to, size_t bytes) {
  uint8_t *next = to;
  while (bytes > 0) {
    ssize_t count = read(server, next, bytes);
    CHECK(count > 0);
    next += count;
    bytes -= (size_t)count;
  }
}

/// A client that has connected and sent its greeting and READY, and a server that said nothing yet.
static void begin(void) {
  CHECK(direct_connect(&d, endpoint, no_keys) == 0);
  server = accept(listener, NULL, NULL);
  CHECK(server >= 0);
  uint8_t got[sizeof greeting + sizeof client_ready - 1];
  read_bytes(got, sizeof got);
  CHECK(got[0] == 0xFF && got[9] == 0x7F && got[10] == 3 && memcmp(got + 12, "NULL\0", 5) == 0);
  CHECK(memcmp(got + sizeof greeting, client_ready, sizeof client_ready - 1) == 0);
}

static void end(void) {
  direct_close(&d, 0);
  CHECK(d.descriptor == -1);
  if (server >= 0) close(server);
  server = -1;
}

/// Looks once, as the driver does after poll; the text of the frame, or NULL.
static const char *receive(int32_t *more) {
  static char text[256];
  zmq_msg_t frame;
  zmq_msg_init(&frame);
  d.may_hold_more = 1;
  int32_t has = direct_receive(&d, &frame, more);
  if (has) {
    CHECK(zmq_msg_size(&frame) < sizeof text);
    memcpy(text, zmq_msg_data(&frame), zmq_msg_size(&frame));
    text[zmq_msg_size(&frame)] = 0;
  }
  zmq_msg_close(&frame);
  return has ? text : NULL;
}

static void shake(void) {
  begin();
  int32_t more;
  write_bytes(greeting, sizeof greeting);
  write_bytes(ready, sizeof ready - 1);
  CHECK(receive(&more) == NULL && !d.is_broken && d.state == direct_open);
}

static void messages_wait_for_the_handshake(void) {
  begin();
  const void *frames[] = {"one", "", "three"};
  const size_t sizes[] = {3, 0, 5};
  CHECK(direct_send(&d, frames, sizes, 3));
  CHECK(!direct_has_rest(&d));
  struct pollfd polled = {server, POLLIN, 0};
  CHECK(poll(&polled, 1, 0) == 0);
  int32_t more;
  write_bytes(greeting, sizeof greeting);
  CHECK(receive(&more) == NULL);
  CHECK(poll(&polled, 1, 0) == 0);
  write_bytes(ready, sizeof ready - 1);
  CHECK(receive(&more) == NULL && d.state == direct_open);
  char got[14];
  read_bytes(got, sizeof got);
  CHECK(memcmp(got, "\1\3one\1\0\0\5three", sizeof got) == 0);
  end();
}

static void frames_come_when_their_message_is_whole(void) {
  shake();
  static const char message[] = "\1\2ab\1\0\0\3cde\0\1f";
  int32_t more;
  // A byte at a time.
  for (size_t i = 0; i < 11; i++) {
    CHECK(receive(&more) == NULL);
    write_bytes(message + i, 1);
  }
  CHECK(strcmp(receive(&more), "ab") == 0 && more);
  write_bytes(message + 11, 3);
  CHECK(strcmp(receive(&more), "") == 0 && more);
  CHECK(strcmp(receive(&more), "cde") == 0 && !more);
  CHECK(strcmp(receive(&more), "f") == 0 && !more);
  CHECK(receive(&more) == NULL && !d.is_broken);
  end();
}

static void what_came_before_the_end_is_handed_out(void) {
  shake();
  write_bytes("\0\2ab\0\2cd\0\5half", 14);
  close(server);
  server = -1;
  int32_t more;
  CHECK(strcmp(receive(&more), "ab") == 0 && strcmp(receive(&more), "cd") == 0);
  CHECK(receive(&more) == NULL && d.is_broken && d.state == direct_open && d.failure == 0);
  end();
}

static void a_ping_is_answered_with_its_context(void) {
  shake();
  write_bytes("\4\12\4PING\0\7xyz\0\1m", 15);
  int32_t more;
  CHECK(strcmp(receive(&more), "m") == 0);
  char got[10];
  read_bytes(got, sizeof got);
  CHECK(memcmp(got, "\4\10\4PONGxyz", sizeof got) == 0);
  // Too short for a time to live: no PING.
  write_bytes("\4\5\4PING\4\4\4PON", 13);
  CHECK(receive(&more) == NULL && !d.is_broken);
  end();
}

/// libzmq writes its heartbeats wherever the socket had no room for the next frame.
static void a_ping_between_the_frames_of_a_message_is_answered_once(void) {
  shake();
  int32_t more;
  write_bytes("\1\2ab\4\10\4PING\0\7x\1\2cd\4\5\4PONG", 25);
  CHECK(receive(&more) == NULL && !d.is_broken);
  write_bytes("\0\2ef", 4);
  CHECK(strcmp(receive(&more), "ab") == 0 && more);
  CHECK(strcmp(receive(&more), "cd") == 0 && more);
  CHECK(strcmp(receive(&more), "ef") == 0 && !more);
  char got[8];
  read_bytes(got, sizeof got);
  CHECK(memcmp(got, "\4\6\4PONGx", sizeof got) == 0);
  struct pollfd polled = {server, POLLIN, 0};
  CHECK(receive(&more) == NULL && poll(&polled, 1, 0) == 0);
  end();
}

static void what_is_sent_after_the_end_loses_nothing_that_came_before_it(void) {
  shake();
  write_bytes("\0\2ab", 4);
  close(server);
  server = -1;
  const void *frames[] = {"late"};
  const size_t sizes[] = {4};
  CHECK(direct_send(&d, frames, sizes, 1) && direct_send(&d, frames, sizes, 1));
  CHECK(!direct_has_rest(&d) && !d.is_broken);
  int32_t more;
  CHECK(strcmp(receive(&more), "ab") == 0);
  CHECK(receive(&more) == NULL && d.is_broken);
  end();
}

static void it_tells_that_it_lives_and_notices_silence(void) {
  shake();
  int64_t start = d.heard, silence = 10000000000;
  CHECK(direct_next_beat(&d) > start && direct_next_beat(&d) < start + silence);
  CHECK(direct_beat(&d, direct_next_beat(&d)));
  char got[9];
  read_bytes(got, sizeof got);
  CHECK(memcmp(got, "\4\7\4PING\0\144", sizeof got) == 0);
  // Whoever slept for long looks before it judges.
  write_bytes("\0\1m", 3);
  CHECK(direct_beat(&d, start + silence) && d.is_doubted);
  int32_t more;
  CHECK(strcmp(receive(&more), "m") == 0 && !d.is_doubted);
  CHECK(direct_beat(&d, d.heard + silence));
  CHECK(!direct_beat(&d, direct_next_beat(&d)));
  end();
  // While the handshake hangs there is nothing to do.
  begin();
  CHECK(direct_next_beat(&d) == INT64_MAX);
  end();
}

static void a_message_larger_than_the_socket_leaves_piece_by_piece(void) {
  shake();
  uint8_t *body = malloc(large), *got = malloc(large);
  for (size_t i = 0; i < large; i++) body[i] = (uint8_t)(i * 31 >> 3);
  const void *frames[] = {"e", body};
  const size_t sizes[] = {1, large};
  CHECK(direct_send(&d, frames, sizes, 2) && direct_has_rest(&d));
  const void *second[] = {"last"};
  const size_t four = 4;
  CHECK(direct_send(&d, second, &four, 1));
  uint8_t header[12], tail[6];
  read_bytes(header, sizeof header);
  CHECK(memcmp(header, "\1\1e\2\0\0\0\0\0\100\0\0", sizeof header) == 0);
  size_t count = 0;
  while (count < large) {
    direct_flush(&d);
    size_t piece = large - count < 4096 ? large - count : 4096;
    read_bytes(got + count, piece);
    count += piece;
  }
  direct_flush(&d);
  read_bytes(tail, sizeof tail);
  CHECK(memcmp(got, body, large) == 0 && memcmp(tail, "\0\4last", sizeof tail) == 0);
  CHECK(!direct_has_rest(&d));
  // And one that comes.
  uint8_t long_header[9] = {2, 0, 0, 0, 0, 0, 0x40, 0, 0};
  write_bytes(long_header, sizeof long_header);
  zmq_msg_t frame;
  zmq_msg_init(&frame);
  int32_t more, has = 0;
  for (count = 0; count < large; count += 4096) {
    CHECK(!has);
    write_bytes(body + count, 4096);
    d.may_hold_more = 1;
    has = direct_receive(&d, &frame, &more);
  }
  CHECK(has && zmq_msg_size(&frame) == large && memcmp(zmq_msg_data(&frame), body, large) == 0);
  zmq_msg_close(&frame);
  free(body);
  free(got);
  end();
}

static void it_lingers_for_what_is_not_sent(void) {
  shake();
  uint8_t *body = calloc(1, large);
  const void *frames[] = {body};
  const size_t sizes[] = {large};
  CHECK(direct_send(&d, frames, sizes, 1) && direct_has_rest(&d));
  // Nobody reads: it ends in time all the same.
  struct timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  direct_close(&d, 30);
  clock_gettime(CLOCK_MONOTONIC, &after);
  CHECK(after.tv_sec - before.tv_sec < 5);
  CHECK(d.descriptor == -1 && d.out == NULL && d.in == NULL);
  free(body);
  end();
}

static void breaks(const void *data, size_t bytes, uint16_t failure, uint32_t value) {
  begin();
  write_bytes(data, bytes);
  int32_t more;
  CHECK(receive(&more) == NULL && d.is_broken);
  CHECK(d.failure == failure && d.failure_value == value);
  CHECK(receive(&more) == NULL);
  end();
}

static void a_handshake_that_fails_says_how(void) {
  uint16_t protocol = ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;
  uint8_t bytes[128] = {0};
  memset(bytes, 'H', 64);
  breaks(bytes, 64, protocol, 0);
  memcpy(bytes, greeting, 64);
  memcpy(bytes + 12, "CURVE", 5);
  breaks(bytes, 64, protocol, 0);
  memcpy(bytes, greeting, 64);
  bytes[10] = 1;
  breaks(bytes, 64, protocol, 0);
  memcpy(bytes, greeting, 64);
  memcpy(bytes + 64, "\4\12\5ERROR\003400", 12);
  breaks(bytes, 76, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, 400);
  memcpy(bytes + 64, "\4\5\4WHAT", 7);
  breaks(bytes, 71, protocol, 0);
  // A message before READY.
  memcpy(bytes + 64, "\0\1m", 3);
  breaks(bytes, 67, protocol, 0);
  begin();
  close(server);
  server = -1;
  int32_t more;
  CHECK(receive(&more) == NULL && d.is_broken && d.failure == 0 && d.state != direct_open);
  end();
}

static void bytes_that_are_no_frames_end_the_connection(void) {
  static const struct {
    const char *bytes;
    size_t count;
  } cases[] = {
      {"\10\1a", 3},                          // a flag that there is not
      {"\5\1a", 3},                           // a command with more to come
      {"\2\377\377\377\377\377\377\377\377", 9},  // 2^64 - 1 bytes
      {"\2\0\0\0\1\0\0\0\1", 9},              // 4 GiB and one
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    shake();
    write_bytes(cases[i].bytes, cases[i].count);
    int32_t more;
    CHECK(receive(&more) == NULL && d.is_broken);
    end();
  }
}

static void random_bytes_do_no_harm(void) {
  uint64_t state = 20261122;
  for (int round = 0; round < 400; round++) {
    if (round % 2) shake();
    else begin();
    uint8_t bytes[512];
    for (size_t i = 0; i < sizeof bytes; i++) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      bytes[i] = (uint8_t)(state >> 56) & (round % 3 ? 7 : 0xFF);
    }
    write_bytes(bytes, sizeof bytes);
    shutdown(server, SHUT_WR);
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    int32_t more, received = 0;
    d.may_hold_more = 1;
    while (direct_receive(&d, &frame, &more)) CHECK(++received <= 512);
    zmq_msg_close(&frame);
    CHECK(d.is_broken || d.may_hold_more == 0);
    end();
  }
}

static void what_cannot_be_connected_says_why(void) {
  direct none;
  char path[160] = "ipc:///tmp/";
  memset(path + strlen(path), 'x', 120);
  CHECK(direct_connect(&none, "ipc:///tmp/qubus-there-is-no-such-socket", no_keys) == ENOENT);
  CHECK(none.descriptor == -1);
  CHECK(direct_connect(&none, path, no_keys) == ENAMETOOLONG && none.descriptor == -1);
  CHECK(direct_connect(&none, "ipc://", no_keys) == ENAMETOOLONG);
  CHECK(direct_connect(&none, "ipc://@qubus-there-is-no-such-name", no_keys) == ECONNREFUSED);
  direct_close(&none, 0);
}

static void it_serves_this_machine_only(void) {
  CHECK(direct_serves("ipc:///x") && !direct_serves("tcp://127.0.0.1:1"));
  CHECK(direct_serves("curve://127.0.0.1:1") == curve_is_there());
  CHECK(direct_serves("curve://[::1]:1") == curve_is_there());
  CHECK(!direct_serves("curve://localhost:1") && !direct_serves("curve://192.0.2.1:1"));
  CHECK(!direct_serves("curve://[2001:db8::1]:1"));
  if (!curve_is_there()) return;
  static const uint8_t key[key_bytes] = {9};
  direct none;
  direct_keys keys = {key, key, key};
  CHECK(direct_connect(&none, "curve://127.0.0.1:1", keys) == ECONNREFUSED);
  CHECK(none.descriptor == -1 && !none.curve.is_used);
}

int main(int argc, char **argv) {
  snprintf(endpoint, sizeof endpoint, "ipc:///tmp/qubus-direct-test-%d.sock", (int)getpid());
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, endpoint + 6);
  unlink(address.sun_path);
  listener = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
  CHECK(listen(listener, 8) == 0);
  RUN(messages_wait_for_the_handshake);
  RUN(frames_come_when_their_message_is_whole);
  RUN(what_came_before_the_end_is_handed_out);
  RUN(a_ping_is_answered_with_its_context);
  RUN(a_ping_between_the_frames_of_a_message_is_answered_once);
  RUN(what_is_sent_after_the_end_loses_nothing_that_came_before_it);
  RUN(it_tells_that_it_lives_and_notices_silence);
  RUN(a_message_larger_than_the_socket_leaves_piece_by_piece);
  RUN(it_lingers_for_what_is_not_sent);
  RUN(a_handshake_that_fails_says_how);
  RUN(bytes_that_are_no_frames_end_the_connection);
  RUN(random_bytes_do_no_harm);
  RUN(what_cannot_be_connected_says_why);
  RUN(it_serves_this_machine_only);
  close(listener);
  unlink(address.sun_path);
  return 0;
}

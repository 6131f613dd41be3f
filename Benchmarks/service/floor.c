// The floor under every call: a bare DEALER-ROUTER echo between two processes over ipc, no
// protobuf, no daemon. One JSON line, microseconds. usage: floor SOCKET_PATH COUNT
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

static double now_microseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void echo(const char *endpoint) {
  void *router = zmq_socket(zmq_ctx_new(), ZMQ_ROUTER);
  if (zmq_bind(router, endpoint) != 0) _exit(1);
  for (;;) {
    char id[64], body[1024];
    zmq_pollitem_t item = {router, 0, ZMQ_POLLIN, 0};
    if (zmq_poll(&item, 1, -1) < 0) continue;
    int id_bytes = zmq_recv(router, id, sizeof id, 0);
    int body_bytes = zmq_recv(router, body, sizeof body, 0);
    zmq_send(router, id, (size_t)id_bytes, ZMQ_SNDMORE);
    zmq_send(router, body, (size_t)body_bytes, 0);
  }
}

int main(int argc, char **argv) {
  if (argc != 3) return 64;
  char endpoint[256];
  snprintf(endpoint, sizeof endpoint, "ipc://%s", argv[1]);
  int count = atoi(argv[2]);
  pid_t server = fork();
  if (server == 0) echo(endpoint);
  void *dealer = zmq_socket(zmq_ctx_new(), ZMQ_DEALER);
  zmq_connect(dealer, endpoint);
  char body[100] = {0};
  double *samples = calloc((size_t)count, sizeof *samples);
  for (int i = -200; i < count; i++) {
    double start = now_microseconds();
    zmq_send(dealer, body, sizeof body, 0);
    zmq_pollitem_t item = {dealer, 0, ZMQ_POLLIN, 0};
    zmq_poll(&item, 1, -1);
    zmq_recv(dealer, body, sizeof body, 0);
    if (i >= 0) samples[i] = now_microseconds() - start;
  }
  qsort(samples, (size_t)count, sizeof *samples, ascending);
  printf("{\"figure\": \"bare zeromq\", \"client\": \"c\", \"median_us\": %.1f, \"p99_us\": %.1f, "
         "\"minimum_us\": %.1f, \"count\": %d}\n",
         samples[count / 2], samples[(int)(count * 0.99)], samples[0], count);
  fflush(stdout);
  kill(server, SIGKILL);
  waitpid(server, NULL, 0);
  unlink(argv[1]);
  _exit(0);
}

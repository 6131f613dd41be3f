/// Inside of the mock: what its files share. Its one thread runs all of it.
#ifndef MOCK_SERVER_H
#define MOCK_SERVER_H

#include <pthread.h>
#include <semaphore.h>
#include <zmq.h>

#include "mock.h"
#include "qubus.h"
#include "qubus_wire.h"
#include "session.pb-c.h"

enum { keys_maximum = 200000, watches_maximum = 4096, chunk_bytes = 64, state_bytes = 16 * 64 };

typedef struct peer {
  uint8_t id[16];
  size_t count;
} peer;

typedef struct watch {
  peer who;
  uint64_t call, next, credit, sequence;
  int is_open;
  char job[64];
} watch;

typedef struct mock_sessions mock_sessions;

typedef struct server {
  mock shared;
  char endpoint[256];
  char client_endpoint[256];
  char secret_key[41];   // "": no CURVE
  uint8_t client_key[32];
  void *gate;
  pthread_t gate_thread;
  char instance[64];
  int generation, is_same_instance;
  void *context, *socket;
  int control;
  atomic_int order;  // 0 none, 1 restart, 2 down, 3 up, 4 goaway, 5 stop, 6 release
  sem_t obeyed;
  pthread_t thread;
  watch watches[watches_maximum];
  char **keys;
  int key_count;
  peer last_peers[64];
  int peer_count;
  mock_sessions *sessions;
} server;

typedef struct message {
  peer who;
  Qubus__V1__Envelope *envelope;
  ProtobufCMessage *body;
  void *attachments[3];  ///< aligned copies
} message;

/// `rank` 0: bytes.
typedef struct array {
  const void *data;
  size_t bytes;
  int type;
  int rank;
  uint64_t shape[3];
} array;

int mock_spend(atomic_int *counter);
void mock_answer(
    server *s, const message *to, Qubus__V1__MessageKind kind, const Qubus__V1__Status *status,
    const ProtobufCMessage *body, const array *arrays, size_t array_count, uint64_t sequence);
void mock_finish(server *s, const message *to, const ProtobufCMessage *body);
void mock_refuse(server *s, const message *to, int32_t number, const char *why);

mock_sessions *mock_sessions_create(void);
void mock_sessions_destroy(mock_sessions *sessions);
/// All connections are gone; another instance has forgotten who holds what.
void mock_sessions_disconnect(server *s);
void mock_sessions_release(server *s);
const ProtobufCMessageDescriptor *mock_session_descriptor(const char *name);
/// 1: the server is to restart; 2: it is to drop its connections.
int mock_session_call(server *s, const message *m);
void mock_session_control(server *s, const message *m, int is_cancel);

#endif

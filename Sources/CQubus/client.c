#include "session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

int32_t client_is_foreign(const qubus_client *client) { return client->process != getpid(); }

int32_t client_check(const qubus_client *client, qubus_error *error) {
  error_clear(error);
  if (client == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "client is NULL");
  if (client_is_foreign(client)) {
    return error_set(error, QUBUS_E_USED_AFTER_FORK,
                     "the client of process %ld was used in its child %ld; open a new one there",
                     (long)client->process, (long)getpid());
  }
  return QUBUS_OK;
}

void client_retain(qubus_client *client) {
  atomic_fetch_add_explicit(&client->references, 1, memory_order_relaxed);
}

void client_release(qubus_client *client) {
  if (atomic_fetch_sub_explicit(&client->references, 1, memory_order_acq_rel) != 1) return;
  client_destroy(client);
}

static void close_descriptor(int descriptor) {
  if (descriptor >= 0) close(descriptor);
}

static void shut(qubus_client *client) {
  pthread_mutex_lock(&client->mutex);
  if (!client->is_closed) session_close_all(client);
  client->is_closed = 1;
  while (client->first_open != NULL) {
    call_fail(client->first_open, QUBUS_E_CLIENT_CLOSED, "the client was closed");
  }
  connection_stop(client);
  for (waiter *w = client->waiters; w != NULL; w = w->next) {
    w->is_woken = 1;
    pthread_cond_signal(&w->condition);
  }
  driver_interrupt(client);
  void *context = client->context;
  client->context = NULL;
  pthread_mutex_unlock(&client->mutex);
  driver_stop_io(client);
  if (context != NULL) zmq_ctx_term(context);
}

void client_destroy(qubus_client *client) {
  if (client->has_io_thread && pthread_equal(pthread_self(), client->io_thread)) {
    // The I/O thread cannot join itself: it destroys the client when it has left the loop.
    client->is_orphaned = 1;
    return;
  }
  shut(client);
  call_clear(&client->hello);
  credentials_destroy(client);
  qubus_arena_free(&client->arena);
  close_descriptor(client->driver_wakeup);
  close_descriptor(client->io_wakeup);
  close_descriptor(client->readiness);
  pthread_cond_destroy(&client->io_condition);
  pthread_mutex_destroy(&client->mutex);
  free(client->endpoint);
  free(client->name);
  free(client);
}

enum { local_reconnect_milliseconds = 500 };

static int64_t option_or(int64_t value, int64_t otherwise) {
  return value == QUBUS_UNSET ? otherwise : value;
}

static int32_t read_options(
    qubus_client *client, const qubus_client_options *given, qubus_error *error) {
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  if (given != NULL) {
    if (given->struct_size < offsetof(qubus_client_options, endpoint)) {
      return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                       "options.struct_size is %u; start from QUBUS_CLIENT_OPTIONS_INIT",
                       given->struct_size);
    }
    if (given->abi_version != QUBUS_ABI_VERSION) {
      return error_set(error, QUBUS_E_ABI_MISMATCH,
                       "the program was compiled for ABI version %u, the library has %d",
                       given->abi_version, QUBUS_ABI_VERSION);
    }
    size_t size = given->struct_size;
    memcpy(&options, given, size < sizeof options ? size : sizeof options);
  }
  client->connect_timeout = option_or(options.connect_timeout_milliseconds, 5000);
  client->call_timeout = option_or(options.call_timeout_milliseconds, 30000);
  client->reconnect_minimum = option_or(options.reconnect_minimum_milliseconds, 20);
  client->reconnect_maximum = option_or(options.reconnect_maximum_milliseconds, 5000);
  int64_t credit = option_or(options.stream_credit_bytes, 1 << 20);
  int64_t retries = option_or(options.submit_retries, 5);
  int64_t spin = options.spin_microseconds == 0 ? 200 : option_or(options.spin_microseconds, 200);
  if (client->reconnect_minimum < 1 || client->reconnect_maximum < client->reconnect_minimum ||
      client->reconnect_maximum > 3600000 || credit < 1 || credit > INT64_MAX / 4 || retries < 0 ||
      retries > 1000000 || spin < 1 || spin > 10000) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                     "options out of range: reconnect times from 1 to 3,600,000 ms with minimum ≤ "
                     "maximum, stream_credit_bytes ≥ 1, submit_retries from 0 to 1,000,000, "
                     "spin_microseconds from 1 to 10,000");
  }
  client->stream_credit = (uint64_t)credit;
  client->submit_retries = (uint32_t)retries;
  client->spin = spin * 1000;
  client->backoff = client->reconnect_minimum;
  client->patience = connection_first_patience(client->connect_timeout);
  client->name = strdup(options.client_name != NULL ? options.client_name : "libqubus");
  if (client->name == NULL) {
    return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a client");
  }
  int32_t code = QUBUS_OK;
  client->endpoint = client_resolve_endpoint(options.endpoint, &code, error);
  if (code == QUBUS_OK && options.reconnect_maximum_milliseconds == QUBUS_UNSET &&
      strncmp(client->endpoint, "ipc://", 6) == 0 &&
      client->reconnect_minimum < local_reconnect_milliseconds) {
    // An attempt on a socket of the same machine costs microseconds, and a daemon that was started
    // again must not wait seconds for its clients.
    client->reconnect_maximum = local_reconnect_milliseconds;
  }
  return code == QUBUS_OK ? credentials_read(client, &options, error) : code;
}

static int32_t is_settled(const void *subject) {
  const qubus_client *client = subject;
  if (client->connection == connection_ready) return 1;
  if (client->handshakes_refused >= handshakes_before_giving_up) return 1;
  // A refusal that another attempt will not cure.
  return client->hello_code != QUBUS_OK && client->connection == connection_down &&
         !client->hello_error.retryable && client->hello_code != QUBUS_E_CONNECTION_FAILED &&
         client->hello_code != QUBUS_E_CONNECTION_LOST;
}

static int32_t connect_first(qubus_client *client, qubus_error *error) {
  pthread_mutex_lock(&client->mutex);
  connection_start(client);
  driver_wait(client, is_settled, client, deadline_after(client->connect_timeout));
  int32_t code = client->connection == connection_ready ? QUBUS_OK
                 : client->hello_code != QUBUS_OK       ? client->hello_code
                                                        : QUBUS_E_CONNECTION_FAILED;
  if (client->connection != connection_ready && client->handshakes_refused > 0) {
    error_copy(error, &client->hello_error);
  } else if (code == QUBUS_E_CONNECTION_FAILED || code == QUBUS_E_CONNECTION_LOST) {
    const char *path = strncmp(client->endpoint, "ipc://", 6) == 0 ? client->endpoint + 6 : NULL;
    int32_t is_path = path != NULL && path[0] != '@' && access(path, W_OK) != 0;
    const char *reason = !is_path          ? client->hello_error.message
                         : errno == ENOENT ? "there is no socket at "
                                           : "this user may not use the socket at ";
    code = error_set(error, QUBUS_E_CONNECTION_FAILED,
                     "no server answered at %s within %lld ms (%s%s)", client->endpoint,
                     (long long)client->connect_timeout,
                     reason, is_path ? path : "");
  } else if (code != QUBUS_OK) {
    error_copy(error, &client->hello_error);
  }
  pthread_mutex_unlock(&client->mutex);
  return code;
}

static int32_t build(
    qubus_client *client, const qubus_client_options *options, qubus_error *error) {
  int32_t code = read_options(client, options, error);
  if (code != QUBUS_OK) return code;
  client->driver_wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  client->context = zmq_ctx_new();
  if (client->driver_wakeup < 0 || client->context == NULL) {
    return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no descriptor or no memory for a client: %s",
                     strerror(errno));
  }
  zmq_ctx_set(client->context, ZMQ_IO_THREADS, 1);
  if (getrandom(&client->random_state, sizeof client->random_state, 0) < 0) {
    client->random_state = (uint64_t)monotonic_now();
  }
  code = connect_first(client, error);
  if (code != QUBUS_OK || !direct_serves(client->endpoint)) return code;
  pthread_mutex_lock(&client->mutex);
  code = driver_start_io(client, error);
  pthread_mutex_unlock(&client->mutex);
  return code;
}

int32_t qubus_client_open(
    const qubus_client_options *options, qubus_client **out, qubus_error *error) {
  error_clear(error);
  if (out == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "out is NULL");
  *out = NULL;
  qubus_client *client = calloc(1, sizeof *client);
  if (client == NULL) return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a client");
  atomic_init(&client->references, 1);
  client->process = getpid();
  client->driver_wakeup = client->io_wakeup = client->readiness = -1;
  client->socket_descriptor = client->monitor_descriptor = client->direct.descriptor = -1;
  client->next_deadline = client->sleeps_until = time_never;
  client->hello_error = (qubus_error)QUBUS_ERROR_INIT;
  pthread_mutex_init(&client->mutex, NULL);
  driver_init_condition(&client->io_condition);
  qubus_arena_init(&client->arena, client->arena_bytes, sizeof client->arena_bytes,
                   (size_t)1 << 28);
  call_init(&client->hello, client, call_hello, &method_hello);
  int32_t code = build(client, options, error);
  if (code != QUBUS_OK) {
    client_release(client);
    return code;
  }
  *out = client;
  return QUBUS_OK;
}

int32_t qubus_client_close(qubus_client *client) {
  int32_t code = client_check(client, NULL);
  if (code != QUBUS_OK) return code;
  client_retain(client);
  shut(client);
  client_release(client);
  return QUBUS_OK;
}

void qubus_client_free(qubus_client **client) {
  if (client == NULL || *client == NULL) return;
  qubus_client *freed = *client;
  *client = NULL;
  // In a forked child the mutex may be held for ever and the socket belongs to the parent.
  if (!client_is_foreign(freed)) client_release(freed);
}

const char *qubus_client_endpoint(const qubus_client *client) {
  return client != NULL ? client->endpoint : "";
}

int32_t qubus_client_descriptor(qubus_client *client, qubus_error *error) {
  if (client_check(client, error) != QUBUS_OK) return -1;
  pthread_mutex_lock(&client->mutex);
  int32_t descriptor = -1;
  if (client->is_closed) {
    error_set(error, QUBUS_E_CLIENT_CLOSED, "the client was closed");
  } else if (driver_open_readiness(client, error) == QUBUS_OK) {
    descriptor = client->readiness;
  }
  pthread_mutex_unlock(&client->mutex);
  return descriptor;
}

int32_t qubus_client_next_completion(qubus_client *client, uint64_t *tag, qubus_error *error) {
  int32_t code = client_check(client, error);
  if (code != QUBUS_OK) return code;
  if (tag == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "tag is NULL");
  *tag = 0;
  pthread_mutex_lock(&client->mutex);
  if (client->first_completion == NULL && !client->driver_sleeps && !client->io_sleeps) {
    driver_look(client);
  }
  qubus_call *call = client->first_completion;
  if (call != NULL) {
    *tag = call->tag;
    client->first_completion = call->next_completion;
    if (client->first_completion == NULL) client->last_completion = NULL;
    // A stream stays announced until it was read empty, any other call for good.
    call->is_announced = call->kind == call_stream || call->kind == call_optimize ? 2 : 3;
  }
  if (client->first_completion == NULL && client->readiness >= 0) {
    eventfd_t count;
    eventfd_read(client->readiness, &count);
  }
  pthread_mutex_unlock(&client->mutex);
  if (call == NULL) return error_set(error, QUBUS_E_END_OF_STREAM, "no completion waits");
  return QUBUS_OK;
}

int32_t qubus_client_ping(
    qubus_client *client, int64_t timeout_milliseconds, qubus_error *error) {
  int32_t code = client_check(client, error);
  if (code != QUBUS_OK) return code;
  // On the stack: nothing refers to it once it was taken off the lists.
  qubus_call call;
  call_init(&call, client, call_ping, NULL);
  if (timeout_milliseconds == QUBUS_UNSET) timeout_milliseconds = client->call_timeout;
  monotonic deadline = deadline_after(timeout_milliseconds);
  code = call_begin(&call, deadline, error);
  if (code == QUBUS_OK) code = call_wait_done(&call, deadline, error);
  if (code == QUBUS_OK) code = call_outcome(&call, error);
  pthread_mutex_lock(&client->mutex);
  call_abandon(&call);
  pthread_mutex_unlock(&client->mutex);
  call_clear(&call);
  return code;
}

/// What the files of an optimization share.
#ifndef QUBUS_OPTIMIZATION_INTERNAL_H
#define QUBUS_OPTIMIZATION_INTERNAL_H

#include "session.h"

struct qubus_optimization {
  qubus_client *client;     ///< constant; the session counts it
  qubus_session *session;   ///< constant, counted
  qubus_call *call;         ///< constant, owned
  char id[QUBUS_SESSION_ID_CAPACITY];   ///< constant once `has_id`
  int32_t has_id;
  int32_t is_read;          ///< a thread is inside `next` or `result`
  int32_t is_skipping;      ///< `result` was called: gaps are no fault
  uint64_t last_iteration;  ///< newest that was handed out
  uint32_t restarts;        ///< since then

  // Of the one thread that reads: the batch being handed out, and the end.
  uint64_t first, count, at;
  uint64_t evaluations, shots_used;
  int64_t device_microseconds;
  double *values, *norms, *parameters;
  uint64_t capacity;        ///< iterations that the three have room for
  int32_t has_ended;
  double *best, *last;
  double best_value, last_value;
  uint64_t iterations;
  char ending[32];
};

/// Without the mutex: copies a batch of iterations. Returns NULL or what is wrong with it.
const char *optimization_take(qubus_optimization *optimization, const reply *part);
/// Reads the answer that ends the call; OK when it was read.
int32_t optimization_take_end(qubus_optimization *optimization, qubus_error *error);

#endif

/// What Swift cannot ask of the system about its threads; see threads.c.
#ifndef QUBUS_THREADS_H
#define QUBUS_THREADS_H

#include <stdint.h>

enum { QUBUS_PROCESSOR_WORDS = 16 };

/// A set of processors, one bit each.
typedef struct {
  uint64_t words[QUBUS_PROCESSOR_WORDS];
} qubus_processors;

/// The processors that the calling thread may run on; empty where the system does not say.
qubus_processors qubus_thread_processors(void);

/// Keeps the calling thread on a set of processors; a system that refuses changes nothing.
void qubus_thread_keep_on(const qubus_processors *processors);

/// Tells the processor that this thread spins: it leaves the core to its other hardware thread.
static inline void qubus_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#endif
}

#endif

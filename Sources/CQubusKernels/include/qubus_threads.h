/// What the thread team needs and Swift's C library does not show.
#ifndef QUBUS_THREADS_H
#define QUBUS_THREADS_H

#include <stddef.h>
#include <stdint.h>

enum { QK_PROCESSOR_WORDS = 16 };

/// A set of processors, one bit each.
typedef struct qk_processors {
  uint64_t words[QK_PROCESSOR_WORDS];
} qk_processors;

/// The processors that the calling thread may run on; empty where the system does not say.
qk_processors qk_thread_processors(void);
/// Keeps the calling thread on a set of processors; a system that refuses changes nothing.
void qk_set_thread_processors(const qk_processors *processors);

/// Tells the processor that this thread spins: it leaves the core to its other hardware thread.
static inline void qk_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#endif
}

#endif

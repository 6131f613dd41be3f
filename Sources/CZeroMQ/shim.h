#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <zmq.h>

// What the transport thread needs beside ZeroMQ and Swift's Glibc module leaves out.

/// A non-blocking, close-on-exec eventfd, or -1.
static inline int qubus_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

/// Names the calling thread; the kernel keeps 15 bytes.
static inline void qubus_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

/// Tells the processor that this thread spins.
static inline void qubus_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#endif
}

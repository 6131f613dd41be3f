#include <malloc.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zmq.h>

// What the transport thread needs beside ZeroMQ and Swift's Glibc module leaves out.

/// Among the drafts of zmq.h, and in every build since 4.3.0 all the same: no answer from the
/// admission socket means that nobody is let in.
enum { QUBUS_ZAP_ENFORCE_DOMAIN = 93 };

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

enum { QUBUS_PROCESSOR_WORDS = 16, QUBUS_PROCESSOR_BITS = 8 * sizeof(unsigned long) };

/// How many processors the calling thread may run on, at least 1; looks at the first 1,024.
static inline int qubus_processors(void) {
  unsigned long words[QUBUS_PROCESSOR_WORDS] = {0};
  int count = 0;
  if (syscall(SYS_sched_getaffinity, 0, sizeof words, words) < 0) return 1;
  for (int i = 0; i < QUBUS_PROCESSOR_WORDS; i++) count += __builtin_popcountl(words[i]);
  return count > 0 ? count : 1;
}

/// Keeps the calling thread on the `index`-th of its processors; without effect where there is none.
static inline void qubus_keep_on_processor(int index) {
  unsigned long words[QUBUS_PROCESSOR_WORDS] = {0}, one[QUBUS_PROCESSOR_WORDS] = {0};
  if (syscall(SYS_sched_getaffinity, 0, sizeof words, words) < 0) return;
  for (int i = 0; i < QUBUS_PROCESSOR_WORDS * QUBUS_PROCESSOR_BITS; i++) {
    unsigned long bit = 1ul << (i % QUBUS_PROCESSOR_BITS);
    if (!(words[i / QUBUS_PROCESSOR_BITS] & bit) || index-- > 0) continue;
    one[i / QUBUS_PROCESSOR_BITS] = bit;
    syscall(SYS_sched_setaffinity, 0, sizeof one, one);
    return;
  }
}

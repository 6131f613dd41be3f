#include <malloc.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
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

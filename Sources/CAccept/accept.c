#define _GNU_SOURCE
#include "accept.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sources.h"

/// Stands before libc's `accept4` for the libzmq of this process: what the executable defines, a shared
/// library takes from there. libzmq 4.3.4 aborts when accept fails with EMFILE on an ipc socket, and
/// it asks for admission only after a handshake, so that many connections at once, or silent ones,
/// would kill the daemon. A connection whose descriptor is in the last tenth of the limit is closed at
/// once, as is one from an address with too many that came to nothing, and libzmq hears that its peer
/// has gone.
__attribute__((used, visibility("default")))
int accept4(int listener, struct sockaddr *address, socklen_t *length, int flags) {
  int descriptor = (int)syscall(SYS_accept4, listener, address, length, flags);
  if (descriptor < 0) {
    if (errno == EMFILE) errno = ENFILE;
    return -1;
  }
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
      (rlim_t)descriptor >= limit.rlim_cur / 10 * 9) {
    close(descriptor);
    errno = ECONNABORTED;
    return -1;
  }
  if (address != NULL && !qubus_source_enter(address)) {
    close(descriptor);
    errno = ECONNABORTED;
    return -1;
  }
  return descriptor;
}

#include "process.h"

#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

/* The Swift runtime starts a program that reads the memory of a process that crashes. It may not
 * read this one, and waits; a daemon that crashed has to end, so that it can be started again. */
static const int crashes[] = {SIGQUIT, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};

int qubus_process_forbid_dumps(void) {
  for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++) {
    if (signal(crashes[i], SIG_DFL) == SIG_ERR) return -1;
  }
  struct rlimit none = {0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) return -1;
#ifdef __linux__
  /* A core_pattern that is a pipe asks for no limit but 1; this it heeds. */
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return -1;
#endif
  return 0;
}

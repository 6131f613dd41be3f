#include "process.h"

#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

/* Swift's runtime answers these by starting a program that reads the memory of the process and
   prints parts of it. Of a process that cannot be read it waits for ever, so that a daemon that
   crashed would neither end nor be started again. */
static const int crashes[] = {SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV};

int qubus_process_forbid_dumps(void) {
  for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
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

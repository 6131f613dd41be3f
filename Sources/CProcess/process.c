#include "process.h"

#include <sys/resource.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

int qubus_process_forbid_dumps(void) {
  struct rlimit none = {0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) return -1;
#ifdef __linux__
  /* A core_pattern that is a pipe asks for no limit but 1; this it heeds. */
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return -1;
#endif
  return 0;
}

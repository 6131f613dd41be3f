#define _GNU_SOURCE

#include "threads.h"

#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>

qubus_processors qubus_thread_processors(void) {
  qubus_processors processors = {{0}};
  if (syscall(SYS_sched_getaffinity, 0, sizeof processors, &processors) < 0) return (qubus_processors){{0}};
  return processors;
}

void qubus_thread_keep_on(const qubus_processors *processors) {
  syscall(SYS_sched_setaffinity, 0, sizeof *processors, processors);
}
#else
qubus_processors qubus_thread_processors(void) { return (qubus_processors){{0}}; }

void qubus_thread_keep_on(const qubus_processors *processors) { (void)processors; }
#endif

#define _GNU_SOURCE
#include "qubus_threads.h"

#include <string.h>

#ifdef __linux__
#include <sched.h>

_Static_assert(sizeof(cpu_set_t) == sizeof(qk_processors), "cpu_set_t has 1024 bits");

qk_processors qk_thread_processors(void) {
  qk_processors processors = {{0}};
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) memcpy(&processors, &set, sizeof set);
  return processors;
}

void qk_set_thread_processors(const qk_processors *processors) {
  cpu_set_t set;
  memcpy(&set, processors, sizeof set);
  sched_setaffinity(0, sizeof set, &set);
}
#else
qk_processors qk_thread_processors(void) { return (qk_processors){{0}}; }

void qk_set_thread_processors(const qk_processors *processors) { (void)processors; }
#endif

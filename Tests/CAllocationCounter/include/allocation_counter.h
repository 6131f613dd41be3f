/// Counts what the calling thread allocates, for tests of paths that must not.
#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdint.h>

/// Calls of malloc, calloc, realloc, aligned_alloc, posix_memalign and memalign by this thread since
/// it started; stays 0 where they cannot be watched.
uint64_t allocation_count(void);

#endif

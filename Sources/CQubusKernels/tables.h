#ifndef QUBUS_KERNEL_TABLES_H
#define QUBUS_KERNEL_TABLES_H

#include "qubus_kernels.h"

extern const qk_table qk_reference_table;
extern const qk_table qk_baseline_table;
#if defined(__x86_64__)
extern const qk_table qk_avx2_table;
extern const qk_table qk_avx512_table;
#endif

#endif

#ifndef QUBUS_REDUCTION_TABLES_H
#define QUBUS_REDUCTION_TABLES_H

#include "qubus_reductions.h"

extern const qr_table qr_reference_table;
extern const qr_table qr_baseline_table;
#if defined(__x86_64__)
extern const qr_table qr_avx2_table;
extern const qr_table qr_avx512_table;
#endif

#endif

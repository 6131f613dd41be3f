// The most multiply-adds that one thread does with one instruction set.
#ifndef QUBUS_BENCH_PEAK_H
#define QUBUS_BENCH_PEAK_H

#include "qubus_kernels.h"

/// 10^9 floating-point operations per second in registers; for baseline, multiplications and
/// additions side by side.
double peak_gflops(qk_isa isa, int single, double seconds);

/// 10^9 bytes per second that one thread reads and writes in place, far beyond the caches; 0 when
/// there is no memory for it.
double memory_gbytes_per_s(double seconds);

#endif

#define _POSIX_C_SOURCE 200809L
#include "peak.h"

#include <stdlib.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Twelve chains hide a latency of four cycles on two units, with some to spare.
#define CHAINS 12
#define TIMES 4096

#define PEAK(name, type, real, bytes, step, attributes)                                           \
  typedef real type __attribute__((ext_vector_type(bytes / sizeof(real))));                       \
  attributes static double name(void) {                                                           \
    type x[CHAINS];                                                                               \
    type a = (type)(real)0.999999, c = (type)(real)1e-6;                                          \
    __asm__ volatile("" : "+x"(a), "+x"(c));                                                      \
    for (int i = 0; i < CHAINS; i++) x[i] = (type)(real)i;                                        \
    const double start = now();                                                                   \
    for (int n = 0; n < TIMES; n++) {                                                             \
      _Pragma("clang loop unroll(full)") for (int i = 0; i < CHAINS; i++) x[i] = step;            \
    }                                                                                             \
    const double taken = now() - start;                                                           \
    for (int i = 0; i < CHAINS; i++) __asm__ volatile("" ::"x"(x[i]));                            \
    return 2.0 * CHAINS * TIMES * (bytes / sizeof(real)) / taken * 1e-9;                          \
  }

#define FUSED_STEP __builtin_elementwise_fma(x[i], a, c)
#define PLAIN_STEP x[i] * a + c

#if defined(__x86_64__)
PEAK(avx512_f64, avx512_doubles, double, 64, FUSED_STEP, __attribute__((target("avx512f"))))
PEAK(avx512_f32, avx512_floats, float, 64, FUSED_STEP, __attribute__((target("avx512f"))))
PEAK(avx2_f64, avx2_doubles, double, 32, FUSED_STEP, __attribute__((target("avx2,fma"))))
PEAK(avx2_f32, avx2_floats, float, 32, FUSED_STEP, __attribute__((target("avx2,fma"))))
#endif
PEAK(baseline_f64, baseline_doubles, double, 16, PLAIN_STEP, )
PEAK(baseline_f32, baseline_floats, float, 16, PLAIN_STEP, )

double peak_gflops(qk_isa isa, int single, double seconds) {
  double (*measure)(void) = single ? baseline_f32 : baseline_f64;
#if defined(__x86_64__)
  if (isa == QK_AVX2) measure = single ? avx2_f32 : avx2_f64;
  if (isa == QK_AVX512) measure = single ? avx512_f32 : avx512_f64;
#endif
  double best = 0;
  for (const double end = now() + seconds; now() < end;) {
    const double once = measure();
    if (once > best) best = once;
  }
  return best;
}

double memory_gbytes_per_s(double seconds) {
  const size_t count = (size_t)256 << 17;
  double *values = calloc(count, sizeof(double));
  if (values == NULL) return 0;
  double best = 0;
  for (size_t i = 0; i < count; i++) values[i] = 1;
  for (const double end = now() + 10 * seconds; now() < end;) {
    const double start = now();
    for (size_t i = 0; i < count; i++) values[i] *= 1.000001;
    const double rate = 2e-9 * sizeof(double) * (double)count / (now() - start);
    if (rate > best) best = rate;
  }
  free(values);
  return best;
}

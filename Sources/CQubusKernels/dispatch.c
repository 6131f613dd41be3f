#include "tables.h"

int qk_isa_available(qk_isa isa) {
  switch (isa) {
  case QK_REFERENCE:
  case QK_BASELINE:
    return 1;
#if defined(__x86_64__)
  // The built-in also asks whether the system saves the registers.
  case QK_AVX2:
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  case QK_AVX512:
    return qk_isa_available(QK_AVX2) && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw");
#endif
  default:
    return 0;
  }
}

const qk_table *qk_table_for(qk_isa isa) {
  if (!qk_isa_available(isa)) return NULL;
  switch (isa) {
  case QK_REFERENCE:
    return &qk_reference_table;
  case QK_BASELINE:
    return &qk_baseline_table;
#if defined(__x86_64__)
  case QK_AVX2:
    return &qk_avx2_table;
  case QK_AVX512:
    return &qk_avx512_table;
#endif
  default:
    return NULL;
  }
}

qk_isa qk_best_isa(void) {
  if (qk_isa_available(QK_AVX512)) return QK_AVX512;
  return qk_isa_available(QK_AVX2) ? QK_AVX2 : QK_BASELINE;
}

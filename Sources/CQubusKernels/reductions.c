#include "reduction_tables.h"

const qr_table *qr_table_for(qk_isa isa) {
  switch (isa) {
  case QK_REFERENCE:
    return &qr_reference_table;
  case QK_BASELINE:
    return &qr_baseline_table;
#if defined(__x86_64__)
  case QK_AVX2:
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &qr_avx2_table : NULL;
  case QK_AVX512:
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
               ? &qr_avx512_table
               : NULL;
#endif
  default:
    return NULL;
  }
}

const qr_table *qr_best_table(void) {
  for (int isa = QK_ISA_COUNT - 1; isa > QK_BASELINE; isa--) {
    const qr_table *table = qr_table_for((qk_isa)isa);
    if (table != NULL) return table;
  }
  return &qr_baseline_table;
}

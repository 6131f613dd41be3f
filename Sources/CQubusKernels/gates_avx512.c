// AVX-512 F, DQ, VL and BW.
#include "tables.h"

#if defined(__x86_64__)
#pragma clang attribute push(                       \
    __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma,bmi,bmi2,popcnt,lzcnt"))), apply_to = function)

#define VECTOR_BYTES 64
#define FUSED 1
#define REGISTER_BITS 3
#include "gates_precisions.inc"

#pragma clang attribute pop

const qk_table qk_avx512_table = {
    .name = "avx512", .apply_f64 = apply_f64, .apply_f32 = apply_f32,
    .apply_rows_f64 = apply_rows_f64, .apply_rows_f32 = apply_rows_f32};
#endif

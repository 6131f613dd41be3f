// AVX2 with fused multiply-add.
#include "tables.h"

#if defined(__x86_64__)
#pragma clang attribute push(                       \
    __attribute__((target("avx2,fma,bmi,bmi2,popcnt,lzcnt"))), apply_to = function)

#define VECTOR_BYTES 32
#define FUSED 1
#define REGISTER_BITS 2
#include "gates_precisions.inc"

#pragma clang attribute pop

const qk_table qk_avx2_table = {
    .name = "avx2", .apply_f64 = apply_f64, .apply_f32 = apply_f32,
    .apply_rows_f64 = apply_rows_f64, .apply_rows_f32 = apply_rows_f32};
#endif

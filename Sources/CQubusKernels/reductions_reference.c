#include "reduction_tables.h"

#pragma STDC FP_CONTRACT OFF

#define REAL double
#define LANES 8
#define NAME(x) x##_f64
#include "reductions_reference.inc"
#undef REAL
#undef LANES
#undef NAME

#define REAL float
#define LANES 16
#define NAME(x) x##_f32
#include "reductions_reference.inc"

static void transform(double *values, unsigned bits) {
  for (unsigned bit = 0; bit < bits; bit++) {
    for (size_t i = 0; i >> bits == 0; i++) {
      const size_t other = i | (size_t)1 << bit;
      if (i == other) continue;
      const double a = values[i], b = values[other];
      values[i] = a + b;
      values[other] = a - b;
    }
  }
}

static void uniforms(uint32_t key0, uint32_t key1, uint32_t word2, uint32_t row,
                     uint64_t first_shot, size_t count, double *uniforms) {
  for (size_t i = 0; i < count; i++) {
    const uint64_t shot = first_shot + i;
    uint32_t c[4] = {0, (uint32_t)shot, (uint32_t)(shot >> 32 & 0xFF) | word2, row};
    uint32_t k0 = key0, k1 = key1;
    for (int round = 0; round < 10; round++) {
      const uint64_t p0 = (uint64_t)0xD2511F53u * c[0], p1 = (uint64_t)0xCD9E8D57u * c[2];
      c[0] = (uint32_t)(p1 >> 32) ^ c[1] ^ k0;
      c[1] = (uint32_t)p1;
      c[2] = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
      c[3] = (uint32_t)p0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    uniforms[i] = (double)(((uint64_t)c[0] << 32 | c[1]) >> 11) * 0x1p-53;
  }
}

const qr_table qr_reference_table = {
    .name = "reference",
    .norm_f64 = norm_f64,
    .norm_f32 = norm_f32,
    .squares_f64 = squares_f64,
    .squares_f32 = squares_f32,
    .split_f64 = split_f64,
    .split_f32 = split_f32,
    .marginal_f64 = marginal_f64,
    .marginal_f32 = marginal_f32,
    .dot_f64 = dot_f64,
    .dot_f32 = dot_f32,
    .collapse_f64 = collapse_f64,
    .collapse_f32 = collapse_f32,
    .pauli_sum_f64 = pauli_sum_f64,
    .pauli_sum_f32 = pauli_sum_f32,
    .pauli_values_f64 = pauli_values_f64,
    .pauli_values_f32 = pauli_values_f32,
    .flip_values_f64 = flip_values_f64,
    .flip_values_f32 = flip_values_f32,
    .diagonal_apply_f64 = diagonal_apply_f64,
    .diagonal_apply_f32 = diagonal_apply_f32,
    .pauli_apply_f64 = pauli_apply_f64,
    .pauli_apply_f32 = pauli_apply_f32,
    .cumulate_f64 = cumulate_f64,
    .cumulate_f32 = cumulate_f32,
    .transform = transform,
    .uniforms = uniforms,
};

// Two double or four float lanes, no fused multiply-add: what every processor of the architecture has.
#include "tables.h"

#define VECTOR_BYTES 16
#define FUSED 0
#define REGISTER_BITS 2
#include "gates_precisions.inc"

const qk_table qk_baseline_table = {
    .name = "baseline", .apply_f64 = apply_f64, .apply_f32 = apply_f32,
    .apply_rows_f64 = apply_rows_f64, .apply_rows_f32 = apply_rows_f32};

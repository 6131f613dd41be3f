#include "tables.h"

#define REAL double
#define LANE_BITS QK_LANE_BITS_F64
#define NAME(x) x##_f64
#include "reference.inc"
#undef REAL
#undef LANE_BITS
#undef NAME

#define REAL float
#define LANE_BITS QK_LANE_BITS_F32
#define NAME(x) x##_f32
#include "reference.inc"

const qk_table qk_reference_table = {
    .name = "reference", .apply_f64 = apply_f64, .apply_f32 = apply_f32};

#include "reduction_tables.h"

#if defined(__x86_64__)
// Without fused multiply-adds every instruction set gives the same bits.
#pragma STDC FP_CONTRACT OFF
// Vectors are passed between inlined functions of this file only.
#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#define QR_TABLE qr_avx2_table
#define QR_TABLE_NAME "avx2"
#include "reductions_isa.inc"

#pragma clang attribute pop
#endif

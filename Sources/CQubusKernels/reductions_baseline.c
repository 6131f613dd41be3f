#include "reduction_tables.h"

// Without fused multiply-adds every instruction set gives the same bits.
#pragma STDC FP_CONTRACT OFF
// Vectors are passed between inlined functions of this file only.
#pragma clang diagnostic ignored "-Wpsabi"

#define QR_TABLE qr_baseline_table
#define QR_TABLE_NAME "baseline"
#include "reductions_isa.inc"

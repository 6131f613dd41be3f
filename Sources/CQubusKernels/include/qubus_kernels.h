/// Leaf loops of the state-vector engine, in plain C over one chunk of amplitudes.
///
/// Layout: a chunk of 2^bits amplitudes in blocks of V consecutive amplitudes, first the V real
/// parts, then the V imaginary parts; V is 8 for double and 16 for float (one AVX-512 register
/// each). Amplitude `i` lies in block `i / V`, lane `i % V`; so the lowest 3 (4) bits of an index
/// are lanes. A chunk is aligned to 64 bytes and has at least QK_MINIMUM_BITS_* bits; smaller
/// states are padded with qubits that stay |0>.
///
/// Every function exists once per instruction set and is called through a `qk_table`.
#ifndef QUBUS_KERNELS_H
#define QUBUS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  QK_LANE_BITS_F64 = 3,
  QK_LANE_BITS_F32 = 4,
  QK_MINIMUM_BITS_F64 = 6,
  QK_MINIMUM_BITS_F32 = 7,
  QK_MAXIMUM_TARGETS = 5,
  /// Index bits of rows side by side, at most.
  QK_ROWS_MAXIMUM_BITS = 8,
};

/// What an operation does to the amplitudes whose index satisfies
/// `index & control_mask == control_value`. Numbers lie at `coefficients + op.offset`; complex ones
/// as re, im. A matrix is row-major; bit j of its row and column index is the bit `targets[j]` of
/// the amplitude index. Targets are distinct and not in the control mask, in any order.
typedef enum qk_kind {
  /// Multiplies by one number: re, im. No target.
  QK_PHASE = 0,
  /// Multiplies by -1. No target, no numbers (a CZ has both its qubits in the control mask).
  QK_NEGATE = 1,
  /// Exchanges |0> and |1> of target 0. No numbers.
  QK_FLIP = 2,
  /// Exchanges targets 0 and 1. No numbers.
  QK_SWAP = 3,
  /// diag(d_0 ... d_{2^k - 1}) over k = 1 ... 5 targets: 2^k complex numbers.
  QK_DIAGONAL = 4,
  /// Multiplies by s times f_bit for every bit of `factor_mask` that is set in
  /// the index: s (re, im), then (re, im) per bit of `factor_mask`, lowest bit first. Any
  /// number of bits; `targets` is not used. One pass for a whole layer of commuting diagonals.
  QK_LINEAR = 5,
  /// A real 2^k x 2^k matrix, k = 1 ... 3: 4^k reals.
  QK_REAL = 6,
  /// 2 x 2 with real diagonal and imaginary off-diagonal: reals a, b, c, d stand for
  /// [[a, i b], [i c, d]].
  QK_CROSS = 7,
  /// A complex 2^k x 2^k matrix, k = 1 ... 5: 4^k complex numbers.
  QK_DENSE = 8,
  QK_KIND_COUNT = 9
} qk_kind;

/// Entries of a one-target QK_REAL or a QK_CROSS [[a, b], [c, d]] that are known, so that a rotation
/// costs half its arithmetic; the scale that was divided out is applied elsewhere. All four numbers
/// are stored in every form.
typedef enum qk_form {
  QK_FORM_GENERAL = 0,
  /// a = d = 1.
  QK_FORM_UNIT_DIAGONAL = 1,
  /// b = c = 1.
  QK_FORM_UNIT_EXCHANGE = 2,
  /// b = -1, c = 1.
  QK_FORM_UNIT_TURN = 3,
} qk_form;

typedef struct qk_op {
  uint8_t kind;
  uint8_t target_count;
  uint8_t targets[QK_MAXIMUM_TARGETS];
  /// A `qk_form`; 0 for kinds other than QK_REAL with one target and QK_CROSS.
  uint8_t form;
  uint32_t control_mask;
  uint32_t control_value;
  /// Only for QK_LINEAR.
  uint32_t factor_mask;
  /// In reals from the start of the coefficients.
  uint32_t offset;
} qk_op;

typedef enum qk_isa {
  /// One amplitude at a time, written to be obvious: what the others are checked against.
  QK_REFERENCE = 0,
  QK_BASELINE = 1,
  QK_AVX2 = 2,
  QK_AVX512 = 3,
  QK_ISA_COUNT = 4
} qk_isa;

/// The functions of one instruction set. All work in place on the calling thread.
typedef struct qk_table {
  /// `baseline`, `avx2`, `avx512`, `reference`.
  const char *name;
  /// Applies `count` operations in order to one chunk of 2^bits amplitudes.
  void (*apply_f64)(double *chunk, unsigned bits, const qk_op *ops, size_t count,
                    const double *coefficients);
  void (*apply_f32)(float *chunk, unsigned bits, const qk_op *ops, size_t count,
                    const float *coefficients);

  /// Applies operations to V states of 2^bits amplitudes side by side, bits = 1 ...
  /// QK_ROWS_MAXIMUM_BITS, as if each were in a chunk of its own: amplitude i of all rows is block i,
  /// so the lanes are rows. Numbers are blocks of V reals, one for each row; `offset` counts blocks.
  /// `forms` holds V bytes an operation, which take the place of `form`. A row has the bits that
  /// `apply` gives it, but for signs of zeros. NULL in the reference.
  void (*apply_rows_f64)(double *state, unsigned bits, const qk_op *ops, size_t count,
                         const double *coefficients, const uint8_t *forms);
  void (*apply_rows_f32)(float *state, unsigned bits, const qk_op *ops, size_t count,
                         const float *coefficients, const uint8_t *forms);
} qk_table;

/// 1 when the processor that this runs on (and the system) has the instruction set.
int qk_isa_available(qk_isa isa);
/// The table of an instruction set, or NULL when the processor lacks it.
const qk_table *qk_table_for(qk_isa isa);
/// The best available instruction set.
qk_isa qk_best_isa(void);

#ifdef __cplusplus
}
#endif
#endif

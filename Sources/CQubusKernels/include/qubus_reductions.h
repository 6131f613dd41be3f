/// Leaf loops that read states: sums, Pauli strings, sampling. Layout as in `qubus_kernels.h`.
///
/// Sums are taken in double for both precisions, in one fixed order that depends on amplitude
/// indices only: amplitude i is summed in lane i % 8 of octet i / 8, octets in fixed order, without
/// fused multiply-adds. So every instruction set gives the same bits, and a complex64 state gives
/// those of the complex128 state with the same amplitudes.
///
/// A state is cut into chunks of 2^QR_CHUNK_BITS amplitudes (a smaller one is one chunk); functions
/// work on one chunk, callers add chunk sums by a tree over the chunk number.
#ifndef QUBUS_REDUCTIONS_H
#define QUBUS_REDUCTIONS_H

#include "qubus_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  QR_CHUNK_BITS = 12,
  /// Terms of one X mask up to which signs are applied one by one; above, a Walsh-Hadamard
  /// transform of the chunk gives all at once.
  QR_SIGNED_TERMS = 10,
};

/// One Pauli string of a group. Z masks are those of the left index (see `qr_group`).
typedef struct qr_term {
  /// Weight, with every sign that does not depend on the index.
  double weight;
  /// Z mask over the chunk number.
  uint64_t z_high;
  /// Z mask in the chunk, without the group's skipped bit.
  uint32_t z_low;
  /// 0 takes the real, 1 the imaginary part of conj(left[i]) right[i ^ x].
  uint32_t part;
} qr_term;

enum { QR_NO_SKIP = 255 };

/// Pauli strings that share an X mask.
typedef struct qr_group {
  /// X mask over the chunk number.
  uint64_t x_high;
  uint32_t x_low;
  /// Terms `first_term ... first_term + term_count - 1`.
  uint32_t first_term;
  uint32_t term_count;
  /// Octet bit (index bit - 3) of which only 0 is visited, because the pair gives the same; or
  /// QR_NO_SKIP. The weights hold the factor 2.
  uint8_t skip;
  /// Chunk number bit of which only 0 is visited, or QR_NO_SKIP.
  uint8_t skip_chunk;
  /// Bit p: a term takes part p.
  uint8_t parts;
} qr_group;

/// What a Pauli string adds when applied to a state: target[i] += w (-1)^{z.i} source[i ^ x], with
/// w = weight, or i weight when part is 1.
typedef struct qr_string {
  double weight;
  uint64_t x_high;
  uint64_t z_high;
  uint32_t x_low;
  uint32_t z_low;
  uint32_t part;
} qr_string;

/// Functions of one instruction set. `octets` counts groups of 8 amplitudes, a power of two.
typedef struct qr_table {
  const char *name;

  /// Sum of |a|^2; at least 8 octets.
  double (*norm_f64)(const double *chunk, size_t octets);
  double (*norm_f32)(const float *chunk, size_t octets);

  /// |a|^2 in order of index.
  void (*squares_f64)(const double *chunk, size_t octets, double *squares);
  void (*squares_f32)(const float *chunk, size_t octets, double *squares);

  /// Sums of |a|^2 where index bit `position` is 0 and 1; at least 8 octets.
  void (*split_f64)(const double *chunk, size_t octets, unsigned position, double sums[2]);
  void (*split_f32)(const float *chunk, size_t octets, unsigned position, double sums[2]);

  /// Adds to sums[key] the |a|^2 whose bits of `keep` form the key, lowest bit first.
  void (*marginal_f64)(const double *chunk, size_t octets, uint32_t keep, double *sums);
  void (*marginal_f32)(const float *chunk, size_t octets, uint32_t keep, double *sums);

  /// Sum of |a|^2 values[index].
  double (*dot_f64)(const double *chunk, size_t octets, const double *values);
  double (*dot_f32)(const float *chunk, size_t octets, const double *values);

  /// Keeps amplitudes whose bit `position` is `outcome`, times `scale`, at bit value `place`;
  /// the others become 0.
  void (*collapse_f64)(double *chunk, size_t octets, unsigned position, unsigned outcome,
                       unsigned place, double scale);
  void (*collapse_f32)(float *chunk, size_t octets, unsigned position, unsigned outcome,
                       unsigned place, double scale);

  /// Weighted sum over groups of Pauli strings <state|P|state> in chunk number `chunk` of a state
  /// in chunks of `octets` octets.
  double (*pauli_sum_f64)(const double *state, size_t octets, uint64_t chunk,
                          const qr_group *groups, size_t count, const qr_term *terms);
  double (*pauli_sum_f32)(const float *state, size_t octets, uint64_t chunk,
                          const qr_group *groups, size_t count, const qr_term *terms);

  /// The same for two states, each term by itself: values[t] = weight times its part of
  /// <left|P|right> in the chunk.
  void (*pauli_values_f64)(const double *left, const double *right, size_t octets, uint64_t chunk,
                           const qr_group *groups, size_t count, const qr_term *terms,
                           double *values);
  void (*pauli_values_f32)(const float *left, const float *right, size_t octets, uint64_t chunk,
                           const qr_group *groups, size_t count, const qr_term *terms,
                           double *values);

  /// The imaginary parts of <left|X|right> and <left|Y|right> for every index bit in `positions`, as
  /// far as left indices in chunk number `chunk` make them: values[2 k] and values[2 k + 1] of the
  /// k-th lowest bit. Bits from the chunk's size on choose another chunk of `right`. `parts` 1 asks for
  /// X alone, 2 for Y alone, 3 for both; what was not asked for is 0.
  void (*flip_values_f64)(const double *left, const double *right, size_t octets, uint64_t chunk,
                          uint64_t positions, unsigned parts, double *values);
  void (*flip_values_f32)(const float *left, const float *right, size_t octets, uint64_t chunk,
                          uint64_t positions, unsigned parts, double *values);

  /// Sets chunk number `chunk` of `target` to the sum of `count` strings without X masks (part 0)
  /// applied to `source`.
  void (*diagonal_apply_f64)(double *target, const double *source, size_t octets, uint64_t chunk,
                             const qr_string *strings, size_t count);
  void (*diagonal_apply_f32)(float *target, const float *source, size_t octets, uint64_t chunk,
                             const qr_string *strings, size_t count);

  /// Adds `count` Pauli strings applied to `source` to chunk number `chunk` of `target`; four in a
  /// row with equal `x_low & 7` and `part` are taken together.
  void (*pauli_apply_f64)(double *target, const double *source, size_t octets, uint64_t chunk,
                          const qr_string *strings, size_t count);
  void (*pauli_apply_f32)(float *target, const float *source, size_t octets, uint64_t chunk,
                          const qr_string *strings, size_t count);

  /// The cumulative distribution of a chunk between `start` and `end`: it never falls, stays where
  /// |a|^2 = 0, and is `end` from the last possible amplitude on. At least 8 octets.
  void (*cumulate_f64)(const double *chunk, size_t octets, double start, double end,
                       double *cumulative);
  void (*cumulate_f32)(const float *chunk, size_t octets, double start, double end,
                       double *cumulative);

  /// In-place Walsh-Hadamard transform (unnormalised) of 2^bits values, bits >= 3.
  void (*transform)(double *values, unsigned bits);

  /// Draw 0 of `count` consecutive shots from Philox 4x32-10: uniforms in [0, 1). `word2` carries
  /// purpose << 8 | pub << 16; the shot's bits above 32 are added here.
  void (*uniforms)(uint32_t key0, uint32_t key1, uint32_t word2, uint32_t row, uint64_t first_shot,
                   size_t count, double *uniforms);
} qr_table;

/// The table of an instruction set, or NULL when the processor lacks it.
const qr_table *qr_table_for(qk_isa isa);
/// The table of the best available instruction set.
const qr_table *qr_best_table(void);

/// An index into a cumulative distribution: cell j holds twice the first entry that a target in
/// the cell may select, plus 1 when the target must still be compared.
typedef struct qr_guide {
  const double *ends;
  const uint32_t *cells;
  double start;
  /// Cells per unit of probability.
  double scale;
  uint32_t cell_count;
} qr_guide;

/// Fills `cells` (guide->cell_count of them) for `count` ends.
void qr_guide_fill(const qr_guide *guide, size_t count, uint32_t *cells);
/// entries[i] = the first entry whose end exceeds uniforms[i] * total.
void qr_guide_find(const qr_guide *guide, double total, const double *uniforms, size_t count,
                   uint32_t *entries);
/// counts[entry] += 1 for every uniform; `counts` has 2 * stride entries, of which the caller adds
/// the second half to the first.
void qr_guide_tally(const qr_guide *guide, double total, const double *uniforms, size_t count,
                    uint32_t *counts, size_t stride);
/// entries[i] = the first of `count` (a power of two) ends above uniforms[i] * total, by bisection.
void qr_bisect(const double *ends, size_t count, double total, const double *uniforms,
               size_t uniform_count, uint32_t *entries);
/// Writes base | i and tally[i] for every entry that is not 0, ascending, at most `capacity` of
/// them, and clears the tally. Returns how many there are.
size_t qr_emit(uint32_t *tally, size_t size, uint64_t base, uint64_t *indices, uint32_t *counts,
               size_t capacity);

#ifdef __cplusplus
}
#endif
#endif

#include "qubus_reductions.h"

#pragma STDC FP_CONTRACT OFF

/// Rises with `value`, so that an entry below a target never lies in a higher cell.
static inline uint32_t cell(const qr_guide *guide, double value) {
  const double place = (value - guide->start) * guide->scale;
  const uint32_t last = guide->cell_count - 1;
  return place < 0 ? 0 : place < last ? (uint32_t)place : last;
}

void qr_guide_fill(const qr_guide *guide, size_t count, uint32_t *cells) {
  // A target in cell j is below every end in a higher cell and not below any in a lower one.
  uint32_t next = 0;
  for (size_t i = 0; i < count && next < guide->cell_count; i++) {
    const uint32_t own = cell(guide, guide->ends[i]);
    for (; next < own; next++) cells[next] = (uint32_t)i << 1;
    if (next == own) cells[next++] = (uint32_t)i << 1 | 1;
  }
  for (; next < guide->cell_count; next++) cells[next] = (uint32_t)(count - 1) << 1;
}

static inline uint32_t find(const qr_guide *guide, double target) {
  const uint32_t place = guide->cells[cell(guide, target)];
  uint32_t entry = place >> 1;
  if (place & 1)
    while (guide->ends[entry] <= target) entry++;
  return entry;
}

void qr_guide_find(const qr_guide *guide, double total, const double *uniforms, size_t count,
                   uint32_t *entries) {
  for (size_t i = 0; i < count; i++) entries[i] = find(guide, uniforms[i] * total);
}

void qr_guide_tally(const qr_guide *guide, double total, const double *uniforms, size_t count,
                    uint32_t *counts, size_t stride) {
  // Two tables, so that equal outcomes in a row do not wait for each other.
  size_t i = 0;
  for (; i + 2 <= count; i += 2) {
    counts[find(guide, uniforms[i] * total)]++;
    counts[stride + find(guide, uniforms[i + 1] * total)]++;
  }
  if (i < count) counts[find(guide, uniforms[i] * total)]++;
}

void qr_bisect(const double *ends, size_t count, double total, const double *uniforms,
               size_t uniform_count, uint32_t *entries) {
  for (size_t i = 0; i < uniform_count; i++) {
    const double target = uniforms[i] * total;
    size_t entry = 0;
    for (size_t half = count / 2; half > 0; half /= 2)
      entry += ends[entry + half - 1] <= target ? half : 0;
    entries[i] = (uint32_t)entry;
  }
}

size_t qr_emit(uint32_t *tally, size_t size, uint64_t base, uint64_t *indices, uint32_t *counts,
               size_t capacity) {
  size_t found = 0;
  for (size_t i = 0; i < size && found < capacity; i++) {
    // Without a branch that would be a guess; the place after the last find is written in vain.
    const uint32_t count = tally[i];
    indices[found] = base | i;
    counts[found] = count;
    found += count != 0;
  }
  for (size_t i = 0; i < size; i++) tally[i] = 0;
  return found;
}

// Times every gate loop of CQubusKernels on one thread: JSON lines, one per instruction set,
// precision, operation, position and size of chunk. `kernels [SECONDS-PER-FIGURE [ISA]]`.
//
// A figure is the best of several rounds, since the machine's other work only ever adds to it. The
// first lines give the peak of fused multiply-adds measured in the same run.
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "peak.h"
#include "qubus_kernels.h"

enum { RUN = 6 };

static double budget = 0.01;

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/// Operations that one figure is about. `floating` is the arithmetic per amplitude of the chunk.
typedef struct {
  const char *name, *position;
  qk_op ops[RUN];
  size_t count;
  double floating;
} subject;

typedef struct {
  const qk_table *table;
  int single;
  void *chunk, *numbers;
} bench;

static void apply(const bench *b, unsigned bits, const subject *s) {
  if (b->single)
    b->table->apply_f32(b->chunk, bits, s->ops, s->count, b->numbers);
  else
    b->table->apply_f64(b->chunk, bits, s->ops, s->count, b->numbers);
}

/// Amplitudes of modest size whatever the last subject did to them.
static void refill(const bench *b, unsigned bits) {
  uint32_t state = 20260101;
  for (size_t i = 0; i < (size_t)2 << bits; i++) {
    state = state * 1664525 + 1013904223;
    const double value = (double)(state >> 8) * 0x1p-24 - 0.5;
    if (b->single)
      ((float *)b->chunk)[i] = (float)value;
    else
      ((double *)b->chunk)[i] = value;
  }
}

static void set_number(const bench *b, size_t index, double value) {
  if (b->single)
    ((float *)b->numbers)[index] = (float)value;
  else
    ((double *)b->numbers)[index] = value;
}

/// Numbers under which amplitudes neither grow nor fade, however often they are applied: means
/// over a pair or block, permutations, factors of 1. All operations of a subject share them.
static void set_numbers(const bench *b, const qk_op *op) {
  const size_t rows = (size_t)1 << op->target_count;
  const int matrix = op->kind == QK_DENSE || (op->kind == QK_REAL && op->form == QK_FORM_GENERAL);
  for (size_t i = 0; i < 4096; i++) {
    const int imaginary = op->kind != QK_REAL && i % 2 == 1;
    set_number(b, i, imaginary ? 0 : matrix ? 1.0 / (double)rows : 1);
  }
  if (op->kind != QK_CROSS && (op->kind != QK_REAL || matrix)) return;
  const double diagonal = op->form <= QK_FORM_UNIT_DIAGONAL ? 1 : 0;
  const double minus = op->form == QK_FORM_UNIT_TURN ? -1 : 1;
  const double entries[4] = {diagonal, minus * (1 - diagonal), 1 - diagonal, diagonal};
  for (size_t i = 0; i < 4; i++) set_number(b, i, entries[i]);
}

/// Nanoseconds per operation and amplitude.
static double measure(const bench *b, unsigned bits, const subject *s) {
  refill(b, bits);
  set_numbers(b, &s->ops[0]);
  size_t repetitions = 1;
  double best = INFINITY, spent = 0;
  while (spent < budget) {
    const double start = seconds();
    for (size_t i = 0; i < repetitions; i++) apply(b, bits, s);
    const double taken = seconds() - start;
    spent += taken;
    if (taken < budget / 16) {
      repetitions *= 2;
      continue;
    }
    best = fmin(best, taken / (double)repetitions);
  }
  return best * 1e9 / (double)((size_t)1 << bits) / (double)s->count;
}

static void report(const bench *b, unsigned bits, const subject *s) {
  const double ns = measure(b, bits, s);
  const double bytes = 4.0 * (b->single ? 4 : 8);
  printf("{\"suite\": \"kernels\", \"isa\": \"%s\", \"precision\": \"%s\", \"kernel\": \"%s\", "
         "\"position\": \"%s\", \"bits\": %u, \"ns_per_amplitude\": %.5f, \"gflops\": %.2f, "
         "\"gbytes_per_s\": %.2f}\n",
         b->table->name, b->single ? "single" : "double", s->name, s->position, bits, ns,
         s->floating / ns, bytes / ns);
  fflush(stdout);
}

/// Where targets lie: `lane` in the vector, `low` in the same page, `high` across the chunk.
static void place(qk_op *op, const char *position, unsigned lanes, unsigned bits, unsigned shift) {
  for (unsigned j = 0; j < op->target_count; j++) {
    unsigned bit;
    if (strcmp(position, "lane") == 0)
      bit = (j + shift) < lanes ? j + shift : (op->target_count <= lanes ? (j + shift) % lanes : j);
    else if (strcmp(position, "mixed") == 0)
      bit = j % 2 == 0 ? j / 2 + shift % lanes : lanes + 1 + j / 2 + shift;
    else if (strcmp(position, "low") == 0)
      bit = lanes + j + shift;
    else
      bit = bits - 1 - j - shift;
    op->targets[j] = (uint8_t)bit;
  }
}

typedef struct {
  const char *name;
  qk_kind kind;
  qk_form form;
  unsigned targets;
  double floating;
  size_t count;
} shape;

static const shape shapes[] = {
    {"real1-unit", QK_REAL, QK_FORM_UNIT_DIAGONAL, 1, 4, 3},
    {"real1-exchange", QK_REAL, QK_FORM_UNIT_EXCHANGE, 1, 4, 3},
    {"real1-turn", QK_REAL, QK_FORM_UNIT_TURN, 1, 4, 3},
    {"real1", QK_REAL, QK_FORM_GENERAL, 1, 6, 3},
    {"cross1-unit", QK_CROSS, QK_FORM_UNIT_DIAGONAL, 1, 4, 3},
    {"cross1-exchange", QK_CROSS, QK_FORM_UNIT_EXCHANGE, 1, 4, 3},
    {"cross1-turn", QK_CROSS, QK_FORM_UNIT_TURN, 1, 4, 3},
    {"cross1", QK_CROSS, QK_FORM_GENERAL, 1, 6, 3},
    {"dense1", QK_DENSE, QK_FORM_GENERAL, 1, 14, 3},
    {"real1-unit-six", QK_REAL, QK_FORM_UNIT_DIAGONAL, 1, 4, 6},
    {"real1-unit-alone", QK_REAL, QK_FORM_UNIT_DIAGONAL, 1, 4, 1},
    {"dense1-alone", QK_DENSE, QK_FORM_GENERAL, 1, 14, 1},
    {"real2", QK_REAL, QK_FORM_GENERAL, 2, 14, 1},
    {"real3", QK_REAL, QK_FORM_GENERAL, 3, 30, 1},
    {"dense2", QK_DENSE, QK_FORM_GENERAL, 2, 30, 1},
    {"dense3", QK_DENSE, QK_FORM_GENERAL, 3, 62, 1},
    {"dense4", QK_DENSE, QK_FORM_GENERAL, 4, 126, 1},
    {"dense5", QK_DENSE, QK_FORM_GENERAL, 5, 254, 1},
    {"diagonal1", QK_DIAGONAL, QK_FORM_GENERAL, 1, 6, 1},
    {"diagonal2", QK_DIAGONAL, QK_FORM_GENERAL, 2, 6, 1},
    {"diagonal3", QK_DIAGONAL, QK_FORM_GENERAL, 3, 6, 1},
    {"diagonal4", QK_DIAGONAL, QK_FORM_GENERAL, 4, 6, 1},
    {"diagonal5", QK_DIAGONAL, QK_FORM_GENERAL, 5, 6, 1},
    {"flip", QK_FLIP, QK_FORM_GENERAL, 1, 0, 1},
    {"swap", QK_SWAP, QK_FORM_GENERAL, 2, 0, 1},
};

static void run_shapes(const bench *b, unsigned bits) {
  static const char *positions[] = {"lane", "mixed", "low", "high"};
  const unsigned lanes = b->single ? QK_LANE_BITS_F32 : QK_LANE_BITS_F64;
  for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
    const shape *shape = &shapes[i];
    for (size_t p = 0; p < 4; p++) {
      if (shape->targets == 1 && p == 1) continue;
      subject s = {.name = shape->name, .position = positions[p], .count = shape->count,
                   .floating = shape->floating};
      for (size_t n = 0; n < shape->count; n++) {
        s.ops[n] = (qk_op){.kind = (uint8_t)shape->kind, .form = (uint8_t)shape->form,
                           .target_count = (uint8_t)shape->targets};
        place(&s.ops[n], positions[p], lanes, bits, (unsigned)n % 3);
      }
      report(b, bits, &s);
    }
  }
}

static void run_controlled(const bench *b, unsigned bits) {
  const unsigned lanes = b->single ? QK_LANE_BITS_F32 : QK_LANE_BITS_F64;
  const uint32_t high = UINT32_C(1) << (bits - 1), next = high >> 1, low = UINT32_C(1) << lanes;
  const uint32_t all = (UINT32_C(1) << bits) - 1;
#define CONTROLLED(mask) .control_mask = (mask), .control_value = (mask)
#define ROTATION(bit)                                                                             \
  {.kind = QK_REAL, .form = QK_FORM_UNIT_DIAGONAL, .target_count = 1, .targets = {(uint8_t)(bit)}}
  const subject subjects[] = {
      {"phase", "high", {{.kind = QK_PHASE, CONTROLLED(high)}}, 1, 3},
      {"phase", "lane", {{.kind = QK_PHASE, CONTROLLED(1)}}, 1, 6},
      {"negate2", "high", {{.kind = QK_NEGATE, CONTROLLED(high | next)}}, 1, 0},
      {"negate2", "low", {{.kind = QK_NEGATE, CONTROLLED(low | 2 * low)}}, 1, 0},
      {"negate2", "mixed", {{.kind = QK_NEGATE, CONTROLLED(1 | high)}}, 1, 0},
      {"negate2", "lane", {{.kind = QK_NEGATE, CONTROLLED(3)}}, 1, 0},
      {"rotations-signs", "low",
       {ROTATION(lanes), ROTATION(lanes + 1), ROTATION(lanes + 2),
        {.kind = QK_NEGATE, CONTROLLED(high | next)}, {.kind = QK_NEGATE, CONTROLLED(low | 1)},
        {.kind = QK_NEGATE, CONTROLLED(high | low)}},
       6, 2},
      {"linear", "all", {{.kind = QK_LINEAR, .factor_mask = all}}, 1, 12},
      {"linear-controlled", "high",
       {{.kind = QK_LINEAR, .factor_mask = all & ~high, CONTROLLED(high)}}, 1, 6},
      {"controlled-flip", "high",
       {{.kind = QK_FLIP, .target_count = 1, .targets = {(uint8_t)(bits - 2)}, CONTROLLED(high)}},
       1, 0},
      {"controlled-flip", "lane",
       {{.kind = QK_FLIP, .target_count = 1, .targets = {0}, CONTROLLED(high)}}, 1, 0},
      {"controlled-real1", "high",
       {{.kind = QK_REAL, .target_count = 1, .targets = {(uint8_t)(bits - 2)}, CONTROLLED(high)}},
       1, 3},
      {"controlled-dense1", "high",
       {{.kind = QK_DENSE, .target_count = 1, .targets = {(uint8_t)(bits - 2)}, CONTROLLED(high)}},
       1, 7},
  };
  for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) report(b, bits, &subjects[i]);
}

int main(int argc, char **argv) {
  if (argc > 1) budget = atof(argv[1]);
  bench b = {.chunk = aligned_alloc(4096, (size_t)16 << 17),
             .numbers = aligned_alloc(64, 4096 * sizeof(double))};
  if (b.chunk == NULL || b.numbers == NULL) return 1;
  printf("{\"suite\": \"kernels\", \"memory_gbytes_per_s\": %.2f}\n", memory_gbytes_per_s(budget));
  for (int isa = QK_BASELINE; isa < QK_ISA_COUNT; isa++) {
    b.table = qk_table_for((qk_isa)isa);
    if (b.table == NULL || (argc > 2 && strcmp(argv[2], b.table->name) != 0)) continue;
    for (b.single = 0; b.single < 2; b.single++) {
      const double peak = peak_gflops((qk_isa)isa, b.single, budget);
      printf("{\"suite\": \"kernels\", \"isa\": \"%s\", \"precision\": \"%s\", \"peak_gflops\": "
             "%.2f}\n", b.table->name, b.single ? "single" : "double", peak);
      run_shapes(&b, b.single ? 16 : 15);
      run_controlled(&b, b.single ? 16 : 15);
      run_shapes(&b, b.single ? 11 : 10);
      run_controlled(&b, b.single ? 11 : 10);
    }
  }
  free(b.chunk);
  free(b.numbers);
  return 0;
}

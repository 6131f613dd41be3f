// What this machine can do at best: in-place read and write of complex-like data, in memory and in
// cache, and fused multiply-adds in registers. One JSON line. usage: floor THREADS
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MEMORY_BYTES (256ul << 20)
#define CACHE_BYTES (16ul << 20)  // all threads together: fits into a common L3
#define CHUNK_BYTES (512ul << 10) // a thread: half of a common L2
#define ROUNDS 5
#define MAXIMUM_THREADS 256

typedef double (*work_function)(char *data, size_t bytes, int passes);

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

// Scales by 1 without the compiler knowing it: one read and one write of every byte.
static volatile double one = 1.0;

#define SWEEP(name, isa)                                                                           \
  __attribute__((target(isa))) static double name(char *data, size_t bytes, int passes) {          \
    double factor = one, *values = (double *)data;                                                 \
    for (int pass = 0; pass < passes; pass++) {                                                    \
      for (size_t i = 0; i < bytes / sizeof *values; i++) values[i] *= factor;                     \
      __asm__ volatile("" : : : "memory");                                                         \
    }                                                                                              \
    return values[0];                                                                              \
  }

// Sixteen chains hide the latency of a multiply-add; `passes` steps, 2 flops a lane and chain.
#define MULTIPLY_ADD(name, isa, type, size)                                                        \
  typedef type name##_vector __attribute__((vector_size(size)));                                   \
  __attribute__((target(isa))) static double name(char *data, size_t bytes, int passes) {          \
    name##_vector chain[16], a, b;                                                                 \
    (void)data;                                                                                    \
    (void)bytes;                                                                                   \
    for (size_t lane = 0; lane < sizeof a / sizeof(type); lane++) {                                \
      a[lane] = (type)(one * 0.999);                                                               \
      b[lane] = (type)(one * 0.001);                                                               \
    }                                                                                              \
    for (int i = 0; i < 16; i++) chain[i] = a * (type)(i + 1);                                     \
    for (int pass = 0; pass < passes; pass++) {                                                    \
      _Pragma("GCC unroll 16") for (int i = 0; i < 16; i++) chain[i] = chain[i] * a + b;           \
    }                                                                                              \
    for (int i = 1; i < 16; i++) chain[0] += chain[i];                                             \
    return (double)chain[0][0];                                                                    \
  }

#if defined(__x86_64__)
SWEEP(sweep_avx512, "avx512f,prefer-vector-width=512")
SWEEP(sweep_avx2, "avx2")
MULTIPLY_ADD(fma_single_avx512, "avx512f,fma,prefer-vector-width=512", float, 64)
MULTIPLY_ADD(fma_double_avx512, "avx512f,fma,prefer-vector-width=512", double, 64)
MULTIPLY_ADD(fma_single_avx2, "avx2,fma", float, 32)
MULTIPLY_ADD(fma_double_avx2, "avx2,fma", double, 32)
#define BASELINE "sse2"
#else
#define BASELINE "default"
#endif
SWEEP(sweep_baseline, BASELINE)
MULTIPLY_ADD(fma_single_baseline, BASELINE, float, 16)
MULTIPLY_ADD(fma_double_baseline, BASELINE, double, 16)

struct part {
  work_function work;
  size_t bytes;
  int passes;
  double begin, end, result;
  pthread_barrier_t *barrier;
};

static void *run_part(void *argument) {
  struct part *part = argument;
  char *data = NULL;
  if (part->bytes && posix_memalign((void **)&data, 2 << 20, part->bytes) != 0) exit(1);
  if (data) memset(data, 0, part->bytes);
  part->work(data, part->bytes, part->passes / 8 + 1);
  pthread_barrier_wait(part->barrier);
  part->begin = now();
  part->result = part->work(data, part->bytes, part->passes);
  part->end = now();
  free(data);
  return NULL;
}

// Seconds that all threads together take, the best of ROUNDS.
static double seconds(work_function work, size_t bytes, int passes, int threads) {
  double best = 1e9;
  for (int round = 0; round < ROUNDS; round++) {
    pthread_t ids[MAXIMUM_THREADS];
    struct part parts[MAXIMUM_THREADS];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, (unsigned)threads);
    for (int i = 0; i < threads; i++) {
      parts[i] = (struct part){work, bytes, passes, 0, 0, 0, &barrier};
      if (pthread_create(&ids[i], NULL, run_part, &parts[i]) != 0) exit(1);
    }
    double begin = 1e18, end = 0;
    for (int i = 0; i < threads; i++) {
      pthread_join(ids[i], NULL);
      if (parts[i].begin < begin) begin = parts[i].begin;
      if (parts[i].end > end) end = parts[i].end;
    }
    pthread_barrier_destroy(&barrier);
    if (end - begin < best) best = end - begin;
  }
  return best;
}

static double bandwidth(work_function work, size_t bytes, int passes, int threads) {
  return 2.0 * (double)bytes * passes * threads / seconds(work, bytes, passes, threads);
}

static double peak(work_function work, int lanes, int threads) {
  int passes = 4000000;
  return 32.0 * lanes * passes * threads / seconds(work, 0, passes, threads);
}

int main(int argc, char **argv) {
  int threads = argc == 2 ? atoi(argv[1]) : 0;
  if (threads < 1 || threads > MAXIMUM_THREADS) return 64;
  work_function sweeps[3] = {sweep_baseline}, single[3] = {fma_single_baseline},
                doubles[3] = {fma_double_baseline};
  int lanes[3] = {4}, count = 1;
  const char *names[3] = {"baseline"};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    sweeps[count] = sweep_avx2, single[count] = fma_single_avx2, doubles[count] = fma_double_avx2;
    lanes[count] = 8, names[count++] = "avx2";
  }
  if (__builtin_cpu_supports("avx512f")) {
    sweeps[count] = sweep_avx512, single[count] = fma_single_avx512;
    doubles[count] = fma_double_avx512, lanes[count] = 16, names[count++] = "avx512";
  }
#endif
  double best[5] = {0};
  const char *isa[5] = {names[0], names[0], names[0], names[0], names[0]};
  for (int i = 0; i < count; i++) {
    double figures[5] = {
        bandwidth(sweeps[i], MEMORY_BYTES / (size_t)threads, 4, threads),
        bandwidth(sweeps[i], CACHE_BYTES / (size_t)threads, 60, threads),
        bandwidth(sweeps[i], CHUNK_BYTES, 4000, threads),
        peak(single[i], lanes[i], threads), peak(doubles[i], lanes[i] / 2, threads)};
    for (int k = 0; k < 5; k++)
      if (figures[k] > best[k]) best[k] = figures[k], isa[k] = names[i];
  }
  printf("{\"threads\": %d, \"memory_bytes_per_second\": %.4g, \"cache_bytes_per_second\": %.4g, "
         "\"chunk_bytes_per_second\": %.4g, "
         "\"single_flops_per_second\": %.4g, \"double_flops_per_second\": %.4g, "
         "\"isa\": [\"%s\", \"%s\", \"%s\", \"%s\", \"%s\"]}\n",
         threads, best[0], best[1], best[2], best[3], best[4], isa[0], isa[1],
         isa[2], isa[3], isa[4]);
  return 0;
}

#include <stdlib.h>

#include "qubus_wire.h"

enum { alignment = 16, first_block = 4096, largest_block = 1 << 20 };

static void *allocator_allocate(void *arena, size_t bytes) {
  return qubus_arena_allocate(arena, bytes);
}

static void allocator_free(void *arena, void *pointer) {
  (void)arena;
  (void)pointer;
}

/// Starts handing out from `memory`, whose start is moved up to the alignment.
static void open_region(qubus_arena *arena, uint8_t *memory, size_t capacity) {
  size_t skip = (alignment - (uintptr_t)memory % alignment) % alignment;
  if (memory == NULL || capacity < skip) {
    arena->next = arena->end = NULL;
    return;
  }
  arena->next = memory + skip;
  arena->end = memory + capacity;
}

void qubus_arena_init(qubus_arena *arena, void *buffer, size_t initial, size_t budget) {
  arena->allocator.alloc = allocator_allocate;
  arena->allocator.free = allocator_free;
  arena->allocator.allocator_data = arena;
  arena->initial = buffer;
  arena->initial_capacity = buffer ? initial : 0;
  arena->blocks = NULL;
  arena->used = 0;
  arena->budget = budget;
  arena->next_block_bytes = first_block;
  arena->is_exhausted = 0;
  open_region(arena, buffer, arena->initial_capacity);
}

static int add_block(qubus_arena *arena, size_t bytes) {
  size_t header = sizeof(qubus_arena_block) + alignment;
  size_t capacity = arena->next_block_bytes;
  if (capacity < bytes) capacity = bytes;
  if (capacity > SIZE_MAX - header) return 0;
  qubus_arena_block *block = malloc(header + capacity);
  if (block == NULL) return 0;
  block->next = arena->blocks;
  block->capacity = header + capacity - sizeof *block;
  arena->blocks = block;
  if (arena->next_block_bytes < largest_block) arena->next_block_bytes *= 2;
  open_region(arena, (uint8_t *)(block + 1), block->capacity);
  return 1;
}

void *qubus_arena_allocate(qubus_arena *arena, size_t bytes) {
  // An empty allocation still gets an address of its own: protobuf-c takes NULL for a failure.
  if (bytes == 0) bytes = 1;
  if (bytes > arena->budget - arena->used || bytes > SIZE_MAX - alignment) {
    arena->is_exhausted = 1;
    return NULL;
  }
  size_t rounded = (bytes + alignment - 1) & ~(size_t)(alignment - 1);
  if (arena->next == NULL || rounded > (size_t)(arena->end - arena->next)) {
    if (!add_block(arena, rounded)) {
      arena->is_exhausted = 1;
      return NULL;
    }
  }
  void *result = arena->next;
  arena->next += rounded;
  // Rounding counts too, but must not carry `used` beyond the budget.
  arena->used = rounded > arena->budget - arena->used ? arena->budget : arena->used + rounded;
  return result;
}

ProtobufCAllocator *qubus_arena_allocator(qubus_arena *arena) { return &arena->allocator; }

static void free_blocks(qubus_arena_block *block) {
  while (block != NULL) {
    qubus_arena_block *next = block->next;
    free(block);
    block = next;
  }
}

void qubus_arena_reset(qubus_arena *arena) {
  arena->used = 0;
  arena->is_exhausted = 0;
  if (arena->blocks == NULL) {
    open_region(arena, arena->initial, arena->initial_capacity);
    return;
  }
  free_blocks(arena->blocks->next);
  arena->blocks->next = NULL;
  open_region(arena, (uint8_t *)(arena->blocks + 1), arena->blocks->capacity);
}

void qubus_arena_free(qubus_arena *arena) {
  free_blocks(arena->blocks);
  qubus_arena_init(arena, arena->initial, arena->initial_capacity, arena->budget);
}

qubus_arena *qubus_arena_create(size_t budget) {
  qubus_arena *arena = malloc(sizeof *arena);
  if (arena != NULL) qubus_arena_init(arena, NULL, 0, budget);
  return arena;
}

void qubus_arena_destroy(qubus_arena *arena) {
  if (arena == NULL) return;
  free_blocks(arena->blocks);
  free(arena);
}

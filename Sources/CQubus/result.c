#include "session.h"

#include <stdlib.h>
#include <string.h>

typedef struct item {
  uint8_t *data;
  size_t chunk_count;
  uint8_t *has_chunk;   ///< one byte a chunk
} item;

struct qubus_result {
  qubus_arena arena;    ///< holds the response, so that names and shapes stay valid
  const Qubus__V1__GetResultResponse *response;
  size_t item_count;
  item *items;
  qubus_json manifest, provenance, job;
};

static const Qubus__V1__ResultItem *listed(const qubus_result *result, size_t index) {
  return result->response->manifest->items[index];
}

static size_t element_bytes(int type) {
  switch (type) {
    case QUBUS_TYPE_UINT8: return 1;
    case QUBUS_TYPE_UINT64:
    case QUBUS_TYPE_INT64:
    case QUBUS_TYPE_FLOAT64: return 8;
    case QUBUS_TYPE_COMPLEX128: return 16;
    default: return 0;
  }
}

/// What is wrong with an item of the manifest, or NULL: what passes can be indexed without a check.
static const char *judge(const Qubus__V1__ResultItem *listed) {
  size_t size = element_bytes((int)listed->data_type);
  if (size == 0) return "its element type is unknown";
  if (listed->n_shape > QUBUS_RANK_MAXIMUM) return "it has more than 16 axes";
  uint64_t bytes = size;
  for (size_t i = 0; i < listed->n_shape; i++) {
    if (__builtin_mul_overflow(bytes, listed->shape[i], &bytes)) return "its shape overflows";
  }
  if (bytes != listed->bytes) return "its length is not that of its shape";
  uint64_t at = 0;
  for (size_t i = 0; i < listed->n_chunks; i++) {
    if (listed->chunks[i]->offset != at) return "its chunks do not join";
    if (__builtin_add_overflow(at, listed->chunks[i]->bytes, &at)) return "its chunks overflow";
  }
  if (listed->n_chunks > 0 && at != bytes) return "its chunks do not fill it";
  return NULL;
}

static int32_t make_items(qubus_result *result, qubus_error *error) {
  const Qubus__V1__ResultManifest *manifest = result->response->manifest;
  if (manifest == NULL || manifest->n_items == 0) return QUBUS_OK;
  result->items = calloc(manifest->n_items, sizeof *result->items);
  if (result->items == NULL) return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory");
  result->item_count = manifest->n_items;
  for (size_t i = 0; i < result->item_count; i++) {
    const Qubus__V1__ResultItem *described = listed(result, i);
    const char *problem = judge(described);
    if (problem != NULL) {
      return error_set(error, QUBUS_E_PROTOCOL_ERROR, "manifest item %zu (%.64s): %s", i,
                       described->name, problem);
    }
    item *made = &result->items[i];
    made->chunk_count = described->n_chunks ? described->n_chunks : described->bytes ? 1 : 0;
    made->has_chunk = calloc(made->chunk_count + 1, 1);
    if (made->has_chunk == NULL) return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory");
  }
  return QUBUS_OK;
}

int32_t result_create(const void *data, size_t count, qubus_result **out, qubus_error *error) {
  *out = NULL;
  qubus_result *result = calloc(1, sizeof *result);
  if (result == NULL) return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a result");
  qubus_arena_init(&result->arena, NULL, 0, message_budget(count));
  ProtobufCMessage *message;
  int32_t code = message_decode(&qubus__v1__get_result_response__descriptor, data, count,
                                &result->arena, &message, error);
  if (code == QUBUS_OK) {
    result->response = (const void *)message;
    code = make_items(result, error);
  }
  if (code == QUBUS_OK) {
    const Qubus__V1__GetResultResponse *response = result->response;
    if (response->manifest) qubus_json_append(&result->manifest, &response->manifest->base);
    if (response->provenance) qubus_json_append(&result->provenance, &response->provenance->base);
    if (response->job) qubus_json_append(&result->job, &response->job->base);
    if (result->manifest.is_out_of_memory || result->provenance.is_out_of_memory ||
        result->job.is_out_of_memory) {
      code = error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a result");
    }
  }
  if (code != QUBUS_OK) {
    qubus_result_free(&result);
    return code;
  }
  *out = result;
  return QUBUS_OK;
}

static char *copy_name(qubus_arena *arena, const char *name) {
  char *copy = qubus_arena_allocate(arena, strlen(name) + 1);
  return copy != NULL ? strcpy(copy, name) : NULL;
}

/// The manifest of one array, whose bytes are copied into `into`. 0 without memory.
static int32_t describe_array(
    qubus_result *result, const plain_array *array, Qubus__V1__ResultItem *described, item *into) {
  qubus__v1__result_item__init(described);
  described->name = copy_name(&result->arena, array->name);
  described->data_type = (Qubus__V1__DataType)array->data_type;
  described->n_shape = array->rank;
  described->shape = qubus_arena_allocate(&result->arena, sizeof array->shape);
  if (described->name == NULL || described->shape == NULL) return 0;
  memcpy(described->shape, array->shape, sizeof array->shape);
  described->bytes = element_bytes(array->data_type);
  for (uint32_t i = 0; i < array->rank; i++) described->bytes *= array->shape[i];
  into->data = malloc(described->bytes ? described->bytes : 1);
  if (into->data == NULL) return 0;
  if (described->bytes > 0) memcpy(into->data, array->data, described->bytes);
  return 1;
}

int32_t result_of_arrays(
    const plain_array *arrays, size_t count, uint32_t bit_count, const ProtobufCMessage *told,
    qubus_result **out, qubus_error *error) {
  *out = NULL;
  qubus_result *result = calloc(1, sizeof *result);
  if (result == NULL) return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a result");
  qubus_arena *arena = &result->arena;
  qubus_arena_init(arena, NULL, 0, (size_t)1 << 20);
  Qubus__V1__GetResultResponse *response = qubus_arena_allocate(arena, sizeof *response);
  Qubus__V1__ResultManifest *manifest = qubus_arena_allocate(arena, sizeof *manifest);
  Qubus__V1__PubSummary *summary = qubus_arena_allocate(arena, sizeof *summary);
  Qubus__V1__PubSummary **summaries = qubus_arena_allocate(arena, sizeof *summaries);
  Qubus__V1__ResultItem *items = qubus_arena_allocate(arena, count * sizeof *items);
  Qubus__V1__ResultItem **pointers = qubus_arena_allocate(arena, count * sizeof *pointers);
  result->items = calloc(count + 1, sizeof *result->items);
  int32_t is_made = response && manifest && summary && summaries && items && pointers &&
                    result->items;
  for (size_t i = 0; is_made && i < count; i++) {
    pointers[i] = &items[i];
    result->item_count = i + 1;
    is_made = describe_array(result, &arrays[i], &items[i], &result->items[i]);
  }
  if (is_made) {
    qubus__v1__get_result_response__init(response);
    qubus__v1__result_manifest__init(manifest);
    qubus__v1__pub_summary__init(summary);
    summary->bit_count = bit_count;
    *summaries = summary;
    manifest->pubs = summaries;
    manifest->n_pubs = 1;
    manifest->items = pointers;
    manifest->n_items = count;
    response->manifest = manifest;
    result->response = response;
    qubus_json_append(&result->manifest, &manifest->base);
    qubus_json_append(&result->provenance, told);
    is_made = !result->manifest.is_out_of_memory && !result->provenance.is_out_of_memory;
  }
  if (!is_made) {
    qubus_result_free(&result);
    return error_set(error, QUBUS_E_OUT_OF_MEMORY, "no memory for a result");
  }
  *out = result;
  return QUBUS_OK;
}

void qubus_result_free(qubus_result **result) {
  if (result == NULL || *result == NULL) return;
  qubus_result *freed = *result;
  *result = NULL;
  for (size_t i = 0; i < freed->item_count; i++) {
    free(freed->items[i].data);
    free(freed->items[i].has_chunk);
  }
  free(freed->items);
  qubus_json_free(&freed->manifest);
  qubus_json_free(&freed->provenance);
  qubus_json_free(&freed->job);
  qubus_arena_free(&freed->arena);
  free(freed);
}

const Qubus__V1__GetResultResponse *result_response(const qubus_result *result) {
  return result->response;
}

int32_t result_job_status(const qubus_result *result) {
  return result->response->job != NULL ? (int32_t)result->response->job->status : 0;
}

size_t result_chunk_count(const qubus_result *result, size_t index) {
  return index < result->item_count ? result->items[index].chunk_count : 0;
}

int32_t result_has_chunk(const qubus_result *result, size_t index, size_t chunk) {
  return result->items[index].has_chunk[chunk];
}

int32_t result_place(
    qubus_result *result, const Qubus__V1__ResultChunk *chunk, const attachment *source) {
  if (chunk->item >= result->item_count) return 0;
  item *into = &result->items[chunk->item];
  if (chunk->chunk >= into->chunk_count) return 0;
  if (into->has_chunk[chunk->chunk]) return 1;
  const Qubus__V1__ResultItem *described = listed(result, chunk->item);
  uint64_t offset = 0, bytes = described->bytes;
  const ProtobufCBinaryData *expected = &described->sha256;
  if (described->n_chunks > 0) {
    const Qubus__V1__ResultChunkInfo *info = described->chunks[chunk->chunk];
    offset = info->offset;
    bytes = info->bytes;
    expected = &info->sha256;
  }
  const void *data = zmq_msg_data((zmq_msg_t *)(uintptr_t)&source->frame);
  uint8_t digest[32];
  if (zmq_msg_size(&source->frame) != bytes || qubus_crc32c(0, data, bytes) != source->crc32c ||
      expected->len != sizeof digest) {
    return 0;
  }
  qubus_sha256_digest(data, bytes, digest);
  if (memcmp(digest, expected->data, sizeof digest) != 0) return 0;
  if (into->data == NULL) {
    into->data = malloc(described->bytes ? described->bytes : 1);
    if (into->data == NULL) return 0;
  }
  memcpy(into->data + offset, data, bytes);
  into->has_chunk[chunk->chunk] = 1;
  return 1;
}

// Public

uint64_t qubus_result_array_count(const qubus_result *result) {
  return result != NULL ? result->item_count : 0;
}

int32_t qubus_result_array(
    const qubus_result *result, uint64_t index, qubus_array *out, qubus_error *error) {
  error_clear(error);
  if (result == NULL || out == NULL || out->struct_size < sizeof *out) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT,
                     "result or out is NULL, or out does not start from QUBUS_ARRAY_INIT");
  }
  if (index >= result->item_count) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "index is %llu, the result has %zu arrays",
                     (unsigned long long)index, result->item_count);
  }
  const Qubus__V1__ResultItem *described = listed(result, index);
  out->data_type = (int32_t)described->data_type;
  out->pub = described->pub;
  out->rank = (uint32_t)described->n_shape;
  memset(out->shape, 0, sizeof out->shape);
  if (described->n_shape > 0) {
    memcpy(out->shape, described->shape, described->n_shape * sizeof out->shape[0]);
  }
  out->data = result->items[index].data;
  out->bytes = described->bytes;
  out->name = described->name;
  return QUBUS_OK;
}

int32_t qubus_result_find(
    const qubus_result *result, uint32_t pub, const char *name, qubus_array *out,
    qubus_error *error) {
  if (result == NULL || name == NULL) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "result or name is NULL");
  }
  for (size_t i = 0; i < result->item_count; i++) {
    if (listed(result, i)->pub == pub && strcmp(listed(result, i)->name, name) == 0) {
      return qubus_result_array(result, i, out, error);
    }
  }
  return error_set(error, QUBUS_E_UNKNOWN_RESULT_ITEM, "the result has no %.64s of pub %u", name,
                   pub);
}

int32_t qubus_result_is_partial(const qubus_result *result) {
  return result != NULL && result->response->manifest != NULL &&
         result->response->manifest->is_partial;
}

static const char *json_or_empty(const qubus_json *json) {
  return json->data != NULL ? json->data : "{}";
}

const char *qubus_result_manifest_json(const qubus_result *result) {
  return result != NULL ? json_or_empty(&result->manifest) : "{}";
}

const char *qubus_result_provenance_json(const qubus_result *result) {
  return result != NULL ? json_or_empty(&result->provenance) : "{}";
}

const char *qubus_result_job_json(const qubus_result *result) {
  return result != NULL ? json_or_empty(&result->job) : "{}";
}

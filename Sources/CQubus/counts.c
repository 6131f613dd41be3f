#include "internal.h"

#include <string.h>

/// The part of a histogram that belongs to one row.
typedef struct row_counts {
  uint32_t bit_count;
  size_t words;           ///< 64-bit words of a key, lowest bits first
  const uint64_t *keys, *values;
  uint64_t entries;
} row_counts;

static const Qubus__V1__PubSummary *find_pub(const qubus_result *result, uint32_t pub) {
  const Qubus__V1__ResultManifest *manifest = result_response(result)->manifest;
  for (size_t i = 0; manifest != NULL && i < manifest->n_pubs; i++) {
    if (manifest->pubs[i]->pub == pub) return manifest->pubs[i];
  }
  return NULL;
}

static int32_t find_array(
    const qubus_result *result, uint32_t pub, const char *name, qubus_array *out,
    qubus_error *error) {
  int32_t code = qubus_result_find(result, pub, name, out, error);
  if (code != QUBUS_OK) return code;
  if (out->data_type == QUBUS_TYPE_UINT64 && (out->data != NULL || out->bytes == 0)) {
    return QUBUS_OK;
  }
  return error_set(error, QUBUS_E_PROTOCOL_ERROR, "%s is no array of 64-bit numbers, or was not "
                   "fetched", name);
}

static int32_t find_row(
    const qubus_result *result, uint32_t pub, uint64_t row, row_counts *out, qubus_error *error) {
  qubus_array keys = QUBUS_ARRAY_INIT, values = QUBUS_ARRAY_INIT, offsets = QUBUS_ARRAY_INIT;
  if (result == NULL) return error_set(error, QUBUS_E_INVALID_ARGUMENT, "result is NULL");
  int32_t code = find_array(result, pub, "counts.keys", &keys, error);
  if (code == QUBUS_OK) code = find_array(result, pub, "counts.values", &values, error);
  if (code == QUBUS_OK) code = find_array(result, pub, "counts.offsets", &offsets, error);
  if (code != QUBUS_OK) return code;
  const Qubus__V1__PubSummary *summary = find_pub(result, pub);
  out->bit_count = summary != NULL ? summary->bit_count : 0;
  out->words = out->bit_count > 64 ? (out->bit_count + 63u) / 64 : 1;
  uint64_t rows = offsets.bytes / 8;
  if (rows < 2 || row >= rows - 1) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "row is %llu, pub %u has %llu",
                     (unsigned long long)row, pub, (unsigned long long)(rows ? rows - 1 : 0));
  }
  const uint64_t *bounds = offsets.data;
  uint64_t first = bounds[row], last = bounds[row + 1];
  if (first > last || last > values.bytes / 8 || last > keys.bytes / 8 / out->words) {
    return error_set(error, QUBUS_E_PROTOCOL_ERROR, "counts.offsets of pub %u points beyond "
                     "counts.values or counts.keys", pub);
  }
  out->entries = last - first;
  out->keys = out->entries ? (const uint64_t *)keys.data + first * out->words : NULL;
  out->values = out->entries ? (const uint64_t *)values.data + first : NULL;
  return QUBUS_OK;
}

int32_t qubus_result_counts_size(
    const qubus_result *result, uint32_t pub, uint64_t row, uint64_t *entries,
    uint32_t *bit_count, qubus_error *error) {
  error_clear(error);
  if (entries != NULL) *entries = 0;
  if (bit_count != NULL) *bit_count = 0;
  row_counts counts;
  int32_t code = find_row(result, pub, row, &counts, error);
  if (code != QUBUS_OK) return code;
  if (entries != NULL) *entries = counts.entries;
  if (bit_count != NULL) *bit_count = counts.bit_count;
  return QUBUS_OK;
}

int32_t qubus_result_counts_entry(
    const qubus_result *result, uint32_t pub, uint64_t row, uint64_t index, char *bits,
    uint64_t capacity, uint64_t *count, qubus_error *error) {
  error_clear(error);
  if (count != NULL) *count = 0;
  if (bits != NULL && capacity > 0) bits[0] = 0;
  row_counts counts;
  int32_t code = find_row(result, pub, row, &counts, error);
  if (code != QUBUS_OK) return code;
  if (index >= counts.entries) {
    return error_set(error, QUBUS_E_INVALID_ARGUMENT, "index is %llu, the row has %llu outcomes",
                     (unsigned long long)index, (unsigned long long)counts.entries);
  }
  if (bits != NULL) {
    if (capacity <= counts.bit_count) {
      return error_set(error, QUBUS_E_BUFFER_TOO_SMALL, "bits needs %u bytes, capacity is %llu",
                       counts.bit_count + 1, (unsigned long long)capacity);
    }
    const uint64_t *key = counts.keys + index * counts.words;
    for (uint32_t i = 0; i < counts.bit_count; i++) {
      uint32_t bit = counts.bit_count - 1 - i;
      bits[i] = key[bit / 64] >> bit % 64 & 1 ? '1' : '0';
    }
    bits[counts.bit_count] = 0;
  }
  if (count != NULL) *count = counts.values[index];
  return QUBUS_OK;
}

#include "log_file.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/// SQLite's unix file takes less than 128 KiB at a time (`seekAndWriteFd`).
enum { FRAME_HEADER_BYTES = 24, KEPT_BYTES = 64 << 10 };

/// An open write-ahead log. The platform's file follows it in memory.
typedef struct log_file {
  sqlite3_file base;
  /// What was written and has not gone to the file: `length` bytes from `offset`.
  unsigned char *kept;
  sqlite3_int64 offset;
  int length;
  /// Where the last byte that was ever written to this log ends.
  sqlite3_int64 end;
  /// The last write was the header of a frame, of one that commits.
  int is_header, commits;
} log_file;

static sqlite3_vfs *platform;

static sqlite3_file *inner(sqlite3_file *file) {
  return (sqlite3_file *)((unsigned char *)file + ((sizeof(log_file) + 15) & ~(size_t)15));
}

static int flush(log_file *self) {
  if (self->length == 0) return SQLITE_OK;
  int length = self->length;
  self->length = 0;
  sqlite3_file *file = inner(&self->base);
  return file->pMethods->xWrite(file, self->kept, length, self->offset);
}

/// Keeps the headers and pages of new frames; everything else, such as a frame that is written again,
/// goes to the file at once.
static int log_write(
    sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset) {
  static const unsigned char none[4] = {0};
  log_file *self = (log_file *)file;
  if (self->kept == NULL) self->kept = malloc(KEPT_BYTES);
  // The log is begun anew with its own header.
  if (offset == 0) self->end = 0;
  int is_header = count == FRAME_HEADER_BYTES;
  int is_kept = self->kept != NULL && count <= KEPT_BYTES && offset >= self->end &&
                (is_header || self->is_header);
  int fits = offset == self->offset + self->length && count <= KEPT_BYTES - self->length;
  int ends_commit = self->commits && !is_header;
  if (self->length > 0 && !(is_kept && fits)) {
    int result = flush(self);
    if (result != SQLITE_OK) return result;
  }
  if (offset + count > self->end) self->end = offset + count;
  self->is_header = is_header && is_kept;
  // The size of the database after the commit, 0 in all other frames.
  self->commits = self->is_header && memcmp((const char *)bytes + 4, none, sizeof none) != 0;
  if (!is_kept) return inner(file)->pMethods->xWrite(inner(file), bytes, count, offset);
  if (self->length == 0) self->offset = offset;
  memcpy(self->kept + self->length, bytes, (size_t)count);
  self->length += count;
  return ends_commit ? flush(self) : SQLITE_OK;
}

static int log_close(sqlite3_file *file) {
  log_file *self = (log_file *)file;
  int flushed = flush(self);
  int closed = inner(file)->pMethods->xClose(inner(file));
  free(self->kept);
  self->kept = NULL;
  return flushed != SQLITE_OK ? flushed : closed;
}

static int log_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 offset) {
  int result = flush((log_file *)file);
  return result != SQLITE_OK ? result
                             : inner(file)->pMethods->xRead(inner(file), bytes, count, offset);
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size) {
  int result = flush((log_file *)file);
  return result != SQLITE_OK ? result : inner(file)->pMethods->xTruncate(inner(file), size);
}

static int log_sync(sqlite3_file *file, int flags) {
  int result = flush((log_file *)file);
  return result != SQLITE_OK ? result : inner(file)->pMethods->xSync(inner(file), flags);
}

static int log_size(sqlite3_file *file, sqlite3_int64 *size) {
  int result = flush((log_file *)file);
  return result != SQLITE_OK ? result : inner(file)->pMethods->xFileSize(inner(file), size);
}

static int log_control(sqlite3_file *file, int operation, void *argument) {
  int result = flush((log_file *)file);
  return result != SQLITE_OK
             ? result
             : inner(file)->pMethods->xFileControl(inner(file), operation, argument);
}

static int log_lock(sqlite3_file *file, int level) {
  return inner(file)->pMethods->xLock(inner(file), level);
}

static int log_unlock(sqlite3_file *file, int level) {
  return inner(file)->pMethods->xUnlock(inner(file), level);
}

static int log_check_lock(sqlite3_file *file, int *is_reserved) {
  return inner(file)->pMethods->xCheckReservedLock(inner(file), is_reserved);
}

static int log_sector_size(sqlite3_file *file) {
  return inner(file)->pMethods->xSectorSize(inner(file));
}

static int log_characteristics(sqlite3_file *file) {
  return inner(file)->pMethods->xDeviceCharacteristics(inner(file));
}

/// Of version 1: a log has no shared memory and is not mapped.
static const sqlite3_io_methods log_methods = {
    .iVersion = 1,
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_check_lock,
    .xFileControl = log_control,
    .xSectorSize = log_sector_size,
    .xDeviceCharacteristics = log_characteristics,
};

static int open_file(
    sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *opened_as) {
  (void)vfs;
  if ((flags & SQLITE_OPEN_WAL) == 0) return platform->xOpen(platform, name, file, flags, opened_as);
  log_file *self = (log_file *)file;
  memset(self, 0, sizeof *self);
  int result = platform->xOpen(platform, name, inner(file), flags, opened_as);
  if (inner(file)->pMethods != NULL) self->base.pMethods = &log_methods;
  return result;
}

static int registered = SQLITE_ERROR;

static void make_default(void) {
  static sqlite3_vfs joining;
  platform = sqlite3_vfs_find(NULL);
  if (platform == NULL) return;
  // All but `xOpen` is the platform's, with its own data.
  joining = *platform;
  joining.zName = "qubus";
  joining.pNext = NULL;
  joining.szOsFile = platform->szOsFile + (int)((sizeof(log_file) + 15) & ~(size_t)15);
  joining.xOpen = open_file;
  registered = sqlite3_vfs_register(&joining, 1);
}

int qubus_log_file_register(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_default);
  return registered;
}

#ifndef QUBUS_LOG_FILE_H
#define QUBUS_LOG_FILE_H

/// Makes SQLite write the frames of a commit to its write-ahead log together: connections that are
/// opened from now on use the platform's file system with that one difference.
///
/// SQLite writes each page in two calls, 24 bytes and the page. Here they are kept until the frame
/// that commits, or until anything else is asked of the file: what SQLite can see of it is the same,
/// and so are errors of the disk, which the last write of a commit answers.
/// A database has one connection that writes: what a transaction wrote that was rolled back may be kept
/// until the next one.
/// - Returns: an SQLite result code. Calls after the first change nothing.
/// - Source: SQLite, "WAL-mode File Format" §1.1 (a frame), "The OS Backend (VFS) To SQLite".
int qubus_log_file_register(void);

#endif

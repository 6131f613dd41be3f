package import QubusCore
package import QubusJobs
package import QubusTenancy

/// Sizes and hooks of the store; the defaults suit one daemon on one machine.
package struct StoreOptions: Sendable {
  /// Commands that may wait; a submit above it is refused with `server_overloaded`. Changes of
  /// accepted jobs are let in up to twice as many, so that load is shed at the door.
  package var queueCapacity = 8192
  /// Bytes of requests that may wait in submits.
  package var queueBytes = 256 << 20
  /// Commands in one transaction.
  package var groupLimit = 512
  package var readerCount = 4
  /// Results of more bytes than this become files.
  package var inlineResultBytes = 1 << 20
  /// Size to which the write-ahead log is laid out at start, so that a commit overwrites blocks
  /// that exist instead of growing the file.
  package var logReserveBytes = 16 << 20
  /// Pages in the log above which an idle writer checkpoints.
  package var checkpointPages = 1000
  /// Pages in the log above which a busy writer checkpoints too.
  package var checkpointLimitPages = 4000
  /// Idle time after which the writer checkpoints, milliseconds.
  package var checkpointIdleMilliseconds = 20
  /// Time that evidence without a change may wait for a commit to join, milliseconds. A commit of
  /// its own would stand in the way of the next submit.
  package var noteMilliseconds = 100
  /// Processor that the writer keeps to; nil: any.
  package var writerProcessor: Int?
  /// Wraps the tenants' data keys; nil: nothing is encrypted.
  package var masterKey: MasterKey?
  /// Called with the tables and rows that were sealed when a plain store is opened with a master
  /// key for the first time.
  package var onSealed: @Sendable (Int) -> Void = { _ in }
  /// Called on any thread for an entry of the audit that could not be written.
  package var onLostNote: @Sendable (AuditEntry, QubusError) -> Void = { _, _ in }
  /// Upper bound of the database file in bytes; nil is none. Reaching it is `disk_full`.
  package var maximumDatabaseBytes: Int?
  /// Names this daemon in claims; nil draws one.
  package var daemonID: Identifier?
  /// Called once, on a thread of the store, when the disk can no longer be trusted. The daemon
  /// stops and recovers at its next start; the store itself refuses everything from then on.
  package var onFatal: @Sendable (QubusError) -> Void = { _ in }

  package init() {}
}

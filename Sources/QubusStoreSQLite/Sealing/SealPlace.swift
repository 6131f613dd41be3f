internal import QubusCore

/// Where a sealed value lies: column, row and what else tells it apart. It is authenticated with
/// the value, so that values cannot change places.
struct SealPlace: Sendable {
  let bytes: [UInt8]

  /// - Parameters:
  ///   - column: `table.column`.
  ///   - id: of the job, session or optimization.
  ///   - numbers: the rest of the row's identity.
  init(_ column: String, _ id: Identifier, _ numbers: Int64...) {
    var bytes = Array(column.utf8)
    bytes.append(0)
    bytes += id.bytes
    for number in numbers { withUnsafeBytes(of: number.littleEndian) { bytes += $0 } }
    self.bytes = bytes
  }

  static func request(_ job: Identifier) -> SealPlace { SealPlace("jobs.request", job) }
  static func labels(_ job: Identifier) -> SealPlace { SealPlace("jobs.tags", job) }
  static func annotations(_ job: Identifier) -> SealPlace { SealPlace("jobs.annotations", job) }
  static func error(_ job: Identifier) -> SealPlace { SealPlace("jobs.error", job) }
  /// The number of an event is given by the writer, after it is sealed; its time is not.
  static func event(_ job: Identifier, _ time: Microseconds, attempt: UInt32) -> SealPlace {
    SealPlace("events.body", job, time, Int64(attempt))
  }
  static func manifest(_ job: Identifier) -> SealPlace { SealPlace("results.manifest", job) }
  static func provenance(_ job: Identifier) -> SealPlace { SealPlace("results.provenance", job) }
  static func chunks(_ job: Identifier) -> SealPlace { SealPlace("results.chunks", job) }
  static func chunk(_ job: Identifier, item: Int, chunk: Int) -> SealPlace {
    SealPlace("result_chunks.content", job, Int64(item), Int64(chunk))
  }
  static func sessionRequest(_ id: Identifier) -> SealPlace { SealPlace("sessions.request", id) }
  static func sessionLabels(_ id: Identifier) -> SealPlace { SealPlace("sessions.tags", id) }
  static func optimization(_ id: Identifier) -> SealPlace { SealPlace("optimizations.request", id) }
  static func checkpoint(_ id: Identifier, _ iteration: UInt64) -> SealPlace {
    SealPlace("optimization_checkpoints.state", id, Int64(bitPattern: iteration))
  }
}

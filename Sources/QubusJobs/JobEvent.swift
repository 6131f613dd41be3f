package import QubusCore

/// Kinds of events; raw values are the words on the wire.
package enum JobEventKind: String, Sendable, Hashable, CaseIterable {
  case statusChanged = "status.changed"
  case queueMoved = "queue.moved"
  case deviceAssigned = "device.assigned"
  case attemptStarted = "attempt.started"
  case progress = "progress"
  case countsPartial = "counts.partial"
  case estimateUpdated = "estimate.updated"
  case fallbackUsed = "fallback.used"
  case annotationAdded = "annotation.added"
  case notice = "notice"
  case approvalDecided = "approval.decided"
}

/// Cumulative counts of one row so far, the most frequent outcomes first cut at 1,024.
package struct PartialCounts: Sendable, Hashable {
  package var pub: UInt32
  package var row: UInt32
  package var shotsDone: UInt64
  package var entries: [(bits: String, count: UInt64)]
  package var isTruncated: Bool

  package init(
    pub: UInt32, row: UInt32, shotsDone: UInt64, entries: [(bits: String, count: UInt64)],
    isTruncated: Bool
  ) {
    self.pub = pub
    self.row = row
    self.shotsDone = shotsDone
    self.entries = entries
    self.isTruncated = isTruncated
  }

  package static func == (a: PartialCounts, b: PartialCounts) -> Bool {
    a.pub == b.pub && a.row == b.row && a.shotsDone == b.shotsDone
      && a.isTruncated == b.isTruncated && a.entries.elementsEqual(b.entries, by: ==)
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(pub)
    hasher.combine(row)
    hasher.combine(shotsDone)
  }
}

package struct JobProgress: Sendable, Hashable {
  package var shotsDone: UInt64
  package var shotsTotal: UInt64
  package var rowsDone: UInt64
  package var rowsTotal: UInt64
  /// Part of the row under way that is evolved, 0 ... 1; 0 between rows.
  package var evolution: Double

  package init(
    shotsDone: UInt64, shotsTotal: UInt64, rowsDone: UInt64, rowsTotal: UInt64,
    evolution: Double = 0
  ) {
    self.shotsDone = shotsDone
    self.shotsTotal = shotsTotal
    self.rowsDone = rowsDone
    self.rowsTotal = rowsTotal
    self.evolution = evolution
  }
}

/// What an event carries beyond kind, status and reason.
package struct JobEventBody: Sendable, Hashable {
  package var progress: JobProgress?
  package var counts: PartialCounts?
  package var queuePosition: UInt64?
  package var device = ""
  package var error: QubusError?
  package var details: [String: String] = [:]

  package init() {}
}

/// One entry of a job's history: ordered, numbered from 1 without gaps, durable.
package struct JobEvent: Sendable, Hashable {
  package var jobID: Identifier
  package var sequence: UInt64
  package var time: Microseconds
  package var kind: JobEventKind
  /// The job's status after the event.
  package var status: JobStatus
  package var reason: String
  package var attempt: UInt32
  package var body: JobEventBody

  package init(
    jobID: Identifier, sequence: UInt64, time: Microseconds, kind: JobEventKind,
    status: JobStatus, reason: String = "", attempt: UInt32, body: JobEventBody = JobEventBody()
  ) {
    self.jobID = jobID
    self.sequence = sequence
    self.time = time
    self.kind = kind
    self.status = status
    self.reason = reason
    self.attempt = attempt
    self.body = body
  }
}

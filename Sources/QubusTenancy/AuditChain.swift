internal import QubusCore
package import QubusJobs

/// Follows the audit record by record and tells where it breaks.
///
/// What the chain proves by itself: nothing between its first and its last record was changed,
/// removed, put in or exchanged. What it cannot: that its last records are still there, and that
/// nobody computed all of it anew from some record on. Both show against a checkpoint that was
/// taken before and is kept elsewhere (`AuditCheckpoint`).
package struct AuditChain: Sendable {
  /// Records that follow from one another, from the first.
  package private(set) var records: UInt64 = 0
  /// Hash of the last of them.
  package private(set) var head = AuditRecord.origin
  /// Records that are taken as good, or were removed, before the first that is followed.
  private let start: UInt64
  /// Behind which the audit begins.
  private let cut: AuditCheckpoint?
  /// Known before any record is taken.
  package let fault: AuditFault?
  private let checkpoint: AuditCheckpoint?

  /// - Parameter checkpoint: whose record the chain has to hold; its signature is not looked at.
  package init(against checkpoint: AuditCheckpoint? = nil) {
    self.checkpoint = checkpoint
    (start, cut, fault) = (0, nil, nil)
  }

  /// Begins behind the records that retention removed.
  /// - Parameters:
  ///   - cut: the last of them.
  ///   - isGood: whether the service signed it.
  package init(behind cut: AuditCheckpoint, isGood: Bool, against checkpoint: AuditCheckpoint?) {
    records = cut.number
    head = cut.hash
    start = cut.number
    self.cut = cut
    self.checkpoint = checkpoint
    if !isGood {
      fault = AuditFault(
        number: cut.number,
        explanation: "the cut behind record \(cut.number) is not signed by the audit key of this "
          + "service: records before it were removed by another hand than retention's")
    } else if let checkpoint, checkpoint.number == cut.number, checkpoint.hash != cut.hash {
      fault = AuditFault(
        number: cut.number, explanation: "record \(cut.number) was another at the checkpoint")
    } else {
      fault = nil
    }
  }

  /// No record was taken yet.
  package var isAtStart: Bool { records == (cut?.number ?? 0) && start == records }

  /// Begins behind a record that is taken as good.
  package init(after number: UInt64, head: [UInt8]) {
    records = number
    start = number
    self.head = head
    (checkpoint, cut, fault) = (nil, nil, nil)
  }

  /// Takes the next record.
  /// - Parameter encoding: version of the canonical bytes that its hash covers.
  /// - Returns: why it does not follow, with the number of the first record that is wrong; nil when
  ///   it does.
  package mutating func follow(_ record: AuditRecord, encoding: UInt32) -> AuditFault? {
    let expected = records + 1
    guard record.number == expected else {
      return AuditFault(
        number: expected,
        explanation: record.number > expected
          ? "record \(expected) is missing: record \(record.number) comes after \(records)"
          : "record \(record.number) stands behind record \(records)")
    }
    guard encoding == AuditEntry.encodingVersion else {
      return AuditFault(
        number: expected,
        explanation: "record \(expected) has encoding \(encoding), which this version does not know"
      )
    }
    let own = AuditRecord(number: expected, entry: record.entry, after: head)
    guard own.hash == record.hash else {
      return AuditFault(
        number: expected,
        explanation: "record \(expected) does not follow from the one before it: "
          + "it was changed or exchanged, or the hash before it was")
    }
    if let checkpoint, checkpoint.number == expected, checkpoint.hash != own.hash {
      return AuditFault(
        number: expected,
        explanation: "record \(expected) is another than at the checkpoint: "
          + "it or one before it was changed, and all that follow were computed anew")
    }
    records = expected
    head = record.hash
    return nil
  }

  /// What was found once all records were taken, or one did not follow.
  package func report(_ fault: AuditFault? = nil) -> AuditReport {
    let fault = fault ?? cutOff
    return AuditReport(
      first: start + 1, records: records, head: head, brokenAt: fault?.number,
      explanation: fault?.explanation ?? explanation, cutAt: cut?.time)
  }

  private var explanation: String {
    guard let cut else { return "\(records) records follow from one another" }
    let compared =
      checkpoint.map { $0.number < cut.number } == true
      ? "; the checkpoint's record has gone, so that it was not compared" : ""
    return
      "records \(start + 1) to \(records) follow from one another; those before were removed by "
      + "retention, last at \(TimeText.rfc3339(cut.time)), and the cut is signed\(compared)"
  }

  private var cutOff: AuditFault? {
    guard let checkpoint, checkpoint.number > records else { return nil }
    return AuditFault(
      number: records + 1,
      explanation: "records \(records + 1) to \(checkpoint.number) of the checkpoint are missing: "
        + "the audit was cut off behind record \(records)")
  }
}

/// Where a chain breaks.
package struct AuditFault: Sendable, Hashable {
  /// Of the first record that is wrong or missing.
  package var number: UInt64
  package var explanation: String

  package init(number: UInt64, explanation: String) {
    self.number = number
    self.explanation = explanation
  }
}

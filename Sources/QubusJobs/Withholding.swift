/// Who keeps a waiting job from its start until further notice; stored with the job.
package struct Withholding: OptionSet, Sendable, Hashable {
  package let rawValue: UInt8

  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Somebody who may cancel it.
  package static let paused = Withholding(rawValue: 1)
  /// An operator.
  package static let held = Withholding(rawValue: 2)

  /// The reason of a job that it keeps; an operator's word goes before others'.
  package var reason: String {
    if contains(.held) { return JobReason.held }
    return contains(.paused) ? JobReason.paused : ""
  }
}

/// Takes up and gives up, so that changes of several callers end in the same state in any order.
package struct WithholdingChange: Sendable, Hashable {
  package var adds: Withholding
  package var removes: Withholding

  package init(adds: Withholding = [], removes: Withholding = []) {
    self.adds = adds
    self.removes = removes
  }

  /// What this and a later change do together.
  package func merged(with later: WithholdingChange) -> WithholdingChange {
    WithholdingChange(
      adds: adds.subtracting(later.removes).union(later.adds),
      removes: removes.subtracting(later.adds).union(later.removes))
  }
}

extension Withholding {
  package mutating func apply(_ change: WithholdingChange) {
    self = union(change.adds).subtracting(change.removes)
  }
}

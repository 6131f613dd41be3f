internal import QubusCore
internal import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

/// What an owner wants otherwise of a waiting job; nil stays as it is.
package struct JobChange: Sendable, Hashable {
  package var lane: String?
  package var priority: Int?
  package var device: String?

  package init(lane: String? = nil, priority: Int? = nil, device: String? = nil) {
    self.lane = lane
    self.priority = priority
    self.device = device
  }

  /// - Throws: what is wrong with it by itself, by field.
  func check(_ reason: String) throws(QubusError) {
    guard lane != nil || priority != nil || device != nil else {
      throw .field(.missingField, "lane", "or priority or device is required: nothing would change")
    }
    if let lane { _ = try Lane(owners: lane) }
    if let priority, !SchedulerJob.priorities.contains(priority) {
      let range = SchedulerJob.priorities
      throw .field(
        .invalidRequest, "priority", "is \(priority)",
        limit: "\(range.lowerBound) to \(range.upperBound)")
    }
    guard reason.utf8.count <= TenancyLimits.reasonBytes else {
      throw .field(
        .invalidRequest, "reason", "has \(reason.utf8.count) bytes",
        limit: "\(TenancyLimits.reasonBytes)")
    }
  }
}

extension Lane {
  /// Those that the owner of a job chooses from.
  static let owners: [Lane] = [.interactive, .batch, .long]

  /// - Throws: `invalid_enum_value` for another one.
  init(owners word: String) throws(QubusError) {
    guard let lane = Lane(rawValue: word), Self.owners.contains(lane) else {
      throw .field(
        .invalidEnumValue, "lane", "'\(word)' is no lane that a job is put into",
        limit: Self.owners.map(\.rawValue).joined(separator: ", "))
    }
    self = lane
  }
}

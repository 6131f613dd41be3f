package import QubusCore

/// How long data are kept; nil is for ever.
package struct RetentionConfiguration: Sendable, Hashable {
  /// Of a result, from the end of its job.
  package var results: Microseconds?
  /// Of a job's events, from its end.
  package var events: Microseconds?
  /// Of a record of the audit.
  package var audit: Microseconds?

  package init() {}

  package var isOff: Bool { results == nil && events == nil && audit == nil }

  /// Between two looks at what has expired: a twentieth of the shortest time, a second to an hour.
  var interval: Microseconds {
    let shortest = [results, events, audit].compactMap { $0 }.min() ?? .max
    return min(3_600_000_000, max(1_000_000, shortest / 20))
  }
}

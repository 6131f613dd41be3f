package import QubusCore

/// What is expected of a run, and from whose runs that is known.
package struct RunTimeEstimate: Sendable, Hashable {
  package enum Basis: String, Sendable, Hashable {
    case program
    case principal
    case device
  }
  package var median: Microseconds
  /// Nine of ten such runs are not longer.
  package var long: Microseconds
  package var basis: Basis
  /// Runs that it is from.
  package var samples: Int
}

/// Run times learned online: of a program on a device; where it has not run, of the principal
/// there; where that has not run, of the device. The last runs count, older ones do not; memory is
/// bounded.
package struct RunTimeModel: Sendable {
  private struct Key: Hashable, Sendable {
    var device: String
    var basis: RunTimeEstimate.Basis
    var name: String
  }
  /// The last runs, in a ring.
  private struct Runs: Sendable {
    var times: [Microseconds] = []
    var next = 0
    /// When it was last added to, in observations.
    var touched: UInt64 = 0

    mutating func add(_ time: Microseconds, limit: Int) {
      if times.count < limit {
        times.append(time)
      } else {
        times[next] = time
        next = (next + 1) % limit
      }
    }
  }
  /// Runs that count.
  private static let window = 64
  /// Runs from which the longest of ten is known by itself.
  private static let enough = 9
  private let capacity: Int
  private var runs: [Key: Runs] = [:]
  private var observations: UInt64 = 0

  /// - Parameter capacity: programs, principals and devices that are remembered, in all.
  package init(capacity: Int = 10_000) {
    precondition(capacity > 0, "a model remembers something")
    self.capacity = capacity
  }

  package var count: Int { runs.count }

  /// Takes in a run that came to its end; one below a microsecond counts as one.
  /// - Parameter program: fingerprint of what was run.
  package mutating func observe(
    _ time: Microseconds, device: String, principal: AccountPath, program: String
  ) {
    observations += 1
    for key in Self.keys(device, principal, program) {
      runs[key, default: Runs()].add(max(1, time), limit: Self.window)
      runs[key]?.touched = observations
    }
    if runs.count > capacity + capacity / 8 { forget() }
  }

  /// Nil when nothing has run on the device.
  package func estimate(
    device: String, principal: AccountPath, program: String
  ) -> RunTimeEstimate? {
    // The ratio of long to usual runs is taken from a wider circle where the own runs are few.
    var ratio = 2.0
    var found: RunTimeEstimate?
    for key in Self.keys(device, principal, program).reversed() {
      guard let times = runs[key]?.times, !times.isEmpty else { continue }
      let sorted = times.sorted()
      let median = sorted[(sorted.count - 1) / 2]
      var long = max(sorted[sorted.count - 1], Microseconds(Double(median) * ratio))
      if sorted.count >= Self.enough {
        // The rank at which the next run is not longer with probability 0.9.
        let rank = (9 * (sorted.count + 1) + 9) / 10
        long = sorted[min(sorted.count, rank) - 1]
        ratio = Double(long) / Double(median)
      }
      found = RunTimeEstimate(
        median: median, long: long, basis: key.basis, samples: sorted.count)
    }
    return found
  }

  private static func keys(
    _ device: String, _ principal: AccountPath, _ program: String
  ) -> [Key] {
    [
      Key(device: device, basis: .program, name: program),
      Key(device: device, basis: .principal, name: principal.description),
      Key(device: device, basis: .device, name: ""),
    ]
  }

  /// Drops what was not seen for longest: an eighth at a time, so that it costs little a run.
  private mutating func forget() {
    let oldest = runs.map { ($0.value.touched, $0.key) }
      .sorted { a, b in
        if a.0 != b.0 { return a.0 < b.0 }
        return a.1.basis.rawValue > b.1.basis.rawValue
      }
    for (_, key) in oldest.prefix(runs.count - capacity) { runs[key] = nil }
  }
}

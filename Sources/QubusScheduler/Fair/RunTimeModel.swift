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
/// bounded. To look up costs the same however many runs there were.
///
/// Where a prediction of each run is told, the wider circles learn how far predictions are off
/// instead of times: programs of one principal can be of any length.
package struct RunTimeModel: Sendable {
  private struct Key: Hashable, Sendable {
    var device: String
    var basis: RunTimeEstimate.Basis
    var name: String
    /// Ratios to what was predicted, in units of `one`; else microseconds.
    var isRatio = false
  }
  /// The last runs, in the order they came and by size.
  private struct Runs: Sendable {
    private var times: [Int64] = []
    private(set) var sorted: [Int64] = []
    private var next = 0
    /// When it was last added to, in observations.
    var touched: UInt64 = 0

    mutating func add(_ time: Int64, limit: Int) {
      if times.count < limit {
        times.append(time)
      } else {
        sorted.remove(at: Self.rank(of: times[next], in: sorted))
        times[next] = time
        next = (next + 1) % limit
      }
      sorted.insert(time, at: Self.rank(of: time, in: sorted))
    }

    /// Place of the first that is not smaller.
    private static func rank(of time: Int64, in sorted: [Int64]) -> Int {
      var (low, high) = (0, sorted.count)
      while low < high {
        let middle = (low + high) / 2
        if sorted[middle] < time { low = middle + 1 } else { high = middle }
      }
      return low
    }
  }
  /// Runs that count.
  private static let window = 64
  /// Runs from which the longest of ten is known by itself.
  private static let enough = 9
  /// A run as long as predicted.
  private static let one = 1_000_000.0
  private let capacity: Int
  private var runs: [Key: Runs] = [:]
  private var observations: UInt64 = 0

  /// What a long run is to a usual one where nothing is known.
  package static let usualRatio = 2.0

  /// - Parameter capacity: programs, principals and devices that are remembered, in all.
  package init(capacity: Int = 10_000) {
    precondition(capacity > 0, "a model remembers something")
    self.capacity = capacity
  }

  package var count: Int { runs.count }

  /// Takes in a run that came to its end; one below a microsecond counts as one.
  /// - Parameters:
  ///   - program: fingerprint of what was run.
  ///   - predicted: what was thought of it without this model; nil: nothing.
  package mutating func observe(
    _ time: Microseconds, predicted: Microseconds? = nil, device: String, principal: AccountPath,
    program: String
  ) {
    observations += 1
    let time = max(1, time)
    let ratio = predicted.map { Double(time) / Double(max(1, $0)) * Self.one }
    for key in Self.keys(device, principal, program, isRatio: ratio != nil) {
      let value = key.isRatio ? Int64(min(max(1, ratio ?? 1), 0x1p62)) : time
      runs[key, default: Runs()].add(value, limit: Self.window)
      runs[key]?.touched = observations
    }
    if runs.count > capacity + capacity / 8 { forget() }
  }

  /// Nil when nothing has run on the device.
  /// - Parameter predicted: as for `observe`; scales what the wider circles know.
  package func estimate(
    device: String, principal: AccountPath, program: String, predicted: Microseconds? = nil
  ) -> RunTimeEstimate? {
    // The ratio of long to usual runs is taken from a wider circle where the own runs are few.
    var ratio = Self.usualRatio
    var found: RunTimeEstimate?
    let keys = Self.keys(device, principal, program, isRatio: predicted != nil)
    for key in keys.reversed() {
      guard let sorted = runs[key]?.sorted, !sorted.isEmpty else { continue }
      let median = sorted[(sorted.count - 1) / 2]
      var long = max(sorted[sorted.count - 1], Int64(min(Double(median) * ratio, 0x1p62)))
      if sorted.count >= Self.enough {
        // The rank at which the next run is not longer with probability 0.9.
        let rank = (9 * (sorted.count + 1) + 9) / 10
        long = sorted[min(sorted.count, rank) - 1]
        ratio = Double(long) / Double(median)
      }
      found = RunTimeEstimate(
        median: key.isRatio ? Self.scaled(median, by: predicted) : median,
        long: key.isRatio ? Self.scaled(long, by: predicted) : long, basis: key.basis,
        samples: sorted.count)
    }
    return found
  }

  private static func scaled(_ ratio: Int64, by predicted: Microseconds?) -> Microseconds {
    Microseconds(min(max(1, Double(ratio) / one * Double(max(1, predicted ?? 1))), 0x1p60))
  }

  private static func keys(
    _ device: String, _ principal: AccountPath, _ program: String, isRatio: Bool
  ) -> [Key] {
    [
      Key(device: device, basis: .program, name: program),
      Key(device: device, basis: .principal, name: principal.description, isRatio: isRatio),
      Key(device: device, basis: .device, name: "", isRatio: isRatio),
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

/// Processor time that a user has got by a time: a line between corners.
struct ServiceCurve: Sendable {
  /// Seconds, in order.
  private(set) var times: [Double] = [0]
  /// Processor seconds up to each of `times`.
  private(set) var served: [Double] = [0]
  private var rate = 0.0

  /// From `time` on the user gets `rate` processors.
  mutating func change(to rate: Double, at time: Double) {
    let last = times.count - 1
    if time > times[last] {
      times.append(time)
      served.append(served[last] + self.rate * (time - times[last]))
    }
    self.rate = rate
  }

  mutating func change(by difference: Double, at time: Double) {
    change(to: rate + difference, at: time)
  }

  /// Reads a curve at times that only grow.
  struct Reader {
    private let curve: ServiceCurve
    private var place = 0

    init(_ curve: ServiceCurve) { self.curve = curve }

    mutating func served(at time: Double) -> Double {
      while place + 1 < curve.times.count, curve.times[place + 1] <= time { place += 1 }
      guard place + 1 < curve.times.count else {
        return curve.served[place] + curve.rate * (time - curve.times[place])
      }
      let slope =
        (curve.served[place + 1] - curve.served[place])
        / (curve.times[place + 1] - curve.times[place])
      return curve.served[place] + slope * (time - curve.times[place])
    }
  }
}

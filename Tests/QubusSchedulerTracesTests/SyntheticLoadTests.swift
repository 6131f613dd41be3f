import QubusCore
import QubusSchedulerTraces
import Testing

@Suite("Synthetic loads")
struct SyntheticLoadTests {
  @Test("a seed gives one load and another seed another")
  func seeded() throws {
    var bursty = BurstyLoad()
    bursty.jobs = 500
    var lublin = LublinLoad()
    lublin.jobs = 500
    #expect(try bursty.trace() == bursty.trace())
    #expect(try lublin.trace() == lublin.trace())
    let (first, second) = (try bursty.trace(), try lublin.trace())
    bursty.seed = 2
    lublin.seed = 2
    #expect(try bursty.trace() != first)
    #expect(try lublin.trace() != second)
  }

  @Test("the load is the one asked for", arguments: [0.3, 0.8, 1.5])
  func load(wanted: Double) throws {
    var bursty = BurstyLoad()
    bursty.load = wanted
    var lublin = LublinLoad()
    lublin.load = wanted
    #expect(abs(try bursty.trace().offeredLoad / wanted - 1) < 0.01)
    #expect(abs(try lublin.trace().offeredLoad / wanted - 1) < 0.01)
  }

  @Test("bursts cluster: the gaps between arrivals vary far more than those of a Poisson load")
  func bursts() throws {
    func variation(_ burst: Double) throws -> Double {
      var load = BurstyLoad()
      load.burst = burst
      let times = try load.trace().jobs.map { Double($0.submitted) }
      let gaps = zip(times.dropFirst(), times).map { $0 - $1 }
      let mean = gaps.reduce(0, +) / Double(gaps.count)
      let variance = gaps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(gaps.count)
      return variance.squareRoot() / mean
    }
    #expect(abs(try variation(1) - 1) < 0.05)
    #expect(try variation(20) > 3)
  }

  @Test("sizes follow the model: about a quarter serial, most parallel ones powers of two")
  func lublinSizes() throws {
    let sizes = try LublinLoad().trace().jobs.map(\.processors)
    let serial = Double(sizes.count { $0 == 1 }) / Double(sizes.count)
    let powers = Double(sizes.count { $0.nonzeroBitCount == 1 }) / Double(sizes.count)
    // Some parallel jobs round down to one processor.
    #expect(serial > 0.24 && serial < 0.35)
    #expect(powers > 0.6)
    #expect(sizes.max() ?? 0 > 128)
  }

  @Test("a number out of range is an error that names it")
  func outOfRange() {
    var load = BurstyLoad()
    load.load = -1
    #expect(throws: QubusError.field(.invalidRequest, "load", "is -1.0", limit: "0.01 to 10.0")) {
      try load.trace()
    }
    var lublin = LublinLoad()
    lublin.users = 0
    #expect(throws: QubusError.self) { try lublin.trace() }
    lublin.users = 1
    lublin.load = .nan
    #expect(throws: QubusError.self) { try lublin.trace() }
  }
}

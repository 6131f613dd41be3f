import Foundation
import QubusCore
import Testing

@testable import QubusScheduler

@Suite struct RunTimeModelTests {
  let alice = AccountPath(tenant: "lab", project: "qc", principal: "alice")
  let bob = AccountPath(tenant: "lab", project: "qc", principal: "bob")

  @Test("a program is known by its own runs, else by its principal's, else by the device's")
  func levels() {
    var model = RunTimeModel()
    #expect(model.estimate(device: "d", principal: alice, program: "p") == nil)
    for _ in 0..<20 { model.observe(1000, device: "d", principal: alice, program: "p") }
    for _ in 0..<20 { model.observe(9000, device: "d", principal: bob, program: "q") }
    let own = model.estimate(device: "d", principal: alice, program: "p")
    #expect(own?.basis == .program && own?.median == 1000 && own?.long == 1000)
    let new = model.estimate(device: "d", principal: bob, program: "p2")
    #expect(new?.basis == .principal && new?.median == 9000)
    let stranger = AccountPath(tenant: "x", project: "y", principal: "z")
    let any = model.estimate(device: "d", principal: stranger, program: "p2")
    #expect(any?.basis == .device && any?.samples == 40 && any?.long == 9000)
    #expect(model.estimate(device: "e", principal: alice, program: "p") == nil)
  }

  @Test("few runs take the spread of the wider circle")
  func fewRuns() {
    var model = RunTimeModel()
    for number in 1...50 {
      model.observe(
        number % 5 == 0 ? 8000 : 1000, device: "d", principal: bob, program: "p\(number)")
    }
    let one = model.estimate(device: "d", principal: bob, program: "p1")
    #expect(one?.basis == .program && one?.samples == 1 && one?.median == 1000)
    #expect(one?.long == 8000)
  }

  @Test("what ran long ago does not count")
  func drift() {
    var model = RunTimeModel()
    for _ in 0..<200 { model.observe(1000, device: "d", principal: alice, program: "p") }
    for _ in 0..<64 { model.observe(5000, device: "d", principal: alice, program: "p") }
    let now = model.estimate(device: "d", principal: alice, program: "p")
    #expect(now?.median == 5000 && now?.long == 5000 && now?.samples == 64)
  }

  @Test("nine of ten runs are not longer than said")
  func coverage() {
    // 20,000 draws, each covered with probability 0.9 to 0.91: a false alarm below 0.885 or above
    // 0.925 is rarer than 1e-6.
    var random = SeededGenerator(state: 11)
    var model = RunTimeModel()
    var (covered, all) = (0, 0)
    for number in 0..<20_100 {
      let normal =
        sqrt(-2 * log(Double.random(in: 1e-12..<1, using: &random)))
        * cos(2 * .pi * Double.random(in: 0..<1, using: &random))
      let time = Microseconds(exp(normal) * 1e6)
      if number >= 100,
        let estimate = model.estimate(device: "d", principal: alice, program: "p")
      {
        all += 1
        if time <= estimate.long { covered += 1 }
      }
      model.observe(time, device: "d", principal: alice, program: "p")
    }
    let part = Double(covered) / Double(all)
    #expect(part > 0.885 && part < 0.925, "seed 11: \(part)")
  }

  @Test("memory is bounded, and what is used last is kept")
  func bounded() {
    var model = RunTimeModel(capacity: 100)
    for number in 0..<10_000 {
      model.observe(1000, device: "d", principal: alice, program: "p\(number)")
      let isSmall = model.count <= 113
      #expect(isSmall)
    }
    let last = model.estimate(device: "d", principal: alice, program: "p9999")
    #expect(last?.basis == .program)
    let first = model.estimate(device: "d", principal: alice, program: "p0")
    #expect(first?.basis == .principal && first?.samples == 64)
  }
}

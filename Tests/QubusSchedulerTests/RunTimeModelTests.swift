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

  @Test("where predictions are told, wider circles know how far those are off, not times")
  func ratios() {
    var model = RunTimeModel()
    for number in 0..<20 {
      model.observe(
        Microseconds(number + 1) * 3000, predicted: Microseconds(number + 1) * 1000, device: "d",
        principal: alice, program: "p\(number)")
    }
    func estimate(_ program: String, _ principal: AccountPath, _ predicted: Microseconds?)
      -> RunTimeEstimate?
    {
      model.estimate(device: "d", principal: principal, program: program, predicted: predicted)
    }
    let known = estimate("p1", alice, 1_000_000)
    #expect(known?.basis == .program && known?.median == 6000)
    let new = estimate("new", alice, 500)
    #expect(new?.basis == .principal && new?.median == 1500 && new?.long == 1500)
    #expect(estimate("new", bob, 10)?.median == 30)
    #expect(estimate("new", bob, 10)?.basis == .device)
    // Times of runs without a prediction are another matter.
    #expect(estimate("new", bob, nil) == nil)
    model.observe(77, device: "d", principal: bob, program: "q")
    #expect(estimate("new", bob, nil)?.median == 77)
    #expect(estimate("new", bob, 10)?.median == 30)
    // Predictions of nothing, and ratios without bounds, are numbers all the same.
    model.observe(.max, predicted: 0, device: "e", principal: bob, program: "q")
    let huge = model.estimate(device: "e", principal: bob, program: "r", predicted: .max)
    #expect(huge.map { $0.median > 0 && $0.long >= $0.median } == true)
  }

  @Test("what is looked up is the median and the p90 of the last runs, whatever their order")
  func ranks() {
    var random = SeededGenerator(state: 5)
    var model = RunTimeModel()
    var last: [Microseconds] = []
    for _ in 0..<500 {
      let time = Microseconds.random(in: 1...40, using: &random)
      model.observe(time, device: "d", principal: alice, program: "p")
      last = (last + [time]).suffix(64)
      let sorted = last.sorted()
      let found = model.estimate(device: "d", principal: alice, program: "p")
      #expect(found?.median == sorted[(sorted.count - 1) / 2], "seed 5")
      if sorted.count >= 9 {
        let rank = (9 * (sorted.count + 1) + 9) / 10
        #expect(found?.long == sorted[min(sorted.count, rank) - 1], "seed 5")
      }
    }
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

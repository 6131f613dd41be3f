import QubusCore
import Testing

@testable import QubusScheduler

@Suite struct SchedulerPropertyTests {
  static let seeds: [UInt64] = (0..<24).map { $0 &* 0x1234_5678_9ABC_DEF1 &+ 7 }

  @Test("capacity is used and never exceeded", arguments: seeds)
  func capacity(seed: UInt64) {
    let history = SchedulerHistory(seed: seed, steps: 2000)
    let capacity = SchedulerHistory.capacity
    #expect(history.mostSlots == capacity.computeSlots, "seed \(seed)")
    #expect(history.mostExpress <= capacity.expressSlots, "seed \(seed)")
    #expect(history.mostMemory <= capacity.memoryBytes, "seed \(seed)")
  }

  @Test("jobs of one lane start in the order of their arrival", arguments: seeds)
  func fifo(seed: UInt64) {
    let history = SchedulerHistory(seed: seed, steps: 2000)
    for lane in [Lane.interactive, .batch] {
      let order = history.started.filter { history.jobs[$0]?.lane == lane }
      #expect(order.count > 50, "seed \(seed)")
      #expect(order == order.sorted(), "seed \(seed)")
    }
  }

  @Test("every accepted job ends in exactly one way", arguments: seeds)
  func everyJobEnds(seed: UInt64) {
    let history = SchedulerHistory(seed: seed, steps: 2000)
    let started = Set(history.started)
    #expect(started.count == history.started.count, "seed \(seed)")
    #expect(history.left == 0, "seed \(seed)")
    for id in history.jobs.keys {
      let ends = [
        started.contains(id), history.expired.contains(id), history.canceled.contains(id),
      ].filter(\.self).count
      #expect(ends == 1, "seed \(seed), job \(id)")
    }
  }

  @Test("the same log gives the same decisions", arguments: seeds.prefix(6))
  func determinism(seed: UInt64) {
    let first = SchedulerHistory(seed: seed, steps: 3000)
    let second = SchedulerHistory(seed: seed, steps: 3000)
    #expect(first.decisions == second.decisions, "seed \(seed)")
    #expect(first.decisions.count > 500)
  }

  @Test("the queue's limit refuses some and positions agree with a plain list", arguments: seeds)
  func positions(seed: UInt64) {
    var random = SeededGenerator(state: seed)
    var order = LaneOrder()
    var plain: [SchedulerJob] = []
    for number in 0..<3000 {
      if Int.random(in: 0..<5, using: &random) < 3 || plain.isEmpty {
        let new = job(number, .batch, seconds: Double(number % 7))
        order.insert(new)
        plain.append(new)
      } else {
        let index = Int.random(in: 0..<plain.count, using: &random)
        #expect(order.remove(plain[index].id) == plain[index], "seed \(seed)")
        plain.remove(at: index)
      }
      guard number % 50 == 0 else { continue }
      for (index, job) in plain.enumerated() {
        let position = order.position(of: job.id)
        #expect(position?.inLane == UInt64(index + 1), "seed \(seed)")
        let ahead = plain[..<index].reduce(0) { $0 + $1.predictedMicroseconds }
        #expect(position?.microsecondsAhead == ahead, "seed \(seed)")
      }
    }
  }
}

import QubusCore
import Testing

@testable import QubusOptimizers

/// What holds of every optimizer.
@Suite("Contract of optimizers")
struct OptimizerContractTests {
  static let shift = [0.3, -0.7, 1.1, 0.2]

  private func outcomes(_ iterations: [OptimizerIteration]) -> [[UInt64]] {
    iterations.map {
      [$0.number, $0.value.bitPattern, $0.gradientNorm.bitPattern]
        + $0.parameters.map(\.bitPattern)
    }
  }

  @Test("points and iterations stay inside the bounds", arguments: OptimizerMethod.allCases)
  func bounds(_ method: OptimizerMethod) throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed of bounds, \(method): \(seed)")
    let random = Philox(seed: seed)
    for round in 0..<60 {
      var draw: UInt32 = 0
      func next() -> Double {
        draw += 1
        return random.uniform(
          draw: draw, shot: UInt64(round), purpose: .perturbation, pub: 1, row: 0)
      }
      let count = 1 + Int(next() * 5)
      // Widths from fixed and narrow to several turns; some sides open.
      let lower = (0..<count).map { _ in next() < 0.2 ? -.infinity : -4 * next() }
      let upper = lower.map { low in
        let kind = next()
        if kind < 0.2 { return Double.infinity }
        return (low.isFinite ? low : 0) + (kind < 0.3 ? 0 : kind < 0.5 ? 0.01 : 8 * next())
      }
      guard zip(lower, upper).contains(where: { $0 < $1 }) else { continue }
      let start = zip(lower, upper).map { low, high -> Double in
        let a = low.isFinite ? low : min(high, 0) - 1
        let b = high.isFinite ? high : max(low, 0) + 1
        return next() < 0.3 ? a : min(max(a + (b - a) * next(), a), b)
      }
      let objective = Objective.coupled(shift: (0..<count).map { _ in 6 * next() - 3 })
      var optimizer = try makeOptimizer(method, start, lower: lower, upper: upper, seed: seed)
      func isInside(_ points: [Double]) -> Bool {
        points.indices.allSatisfy {
          lower[$0 % count] <= points[$0] && points[$0] <= upper[$0 % count]
        }
      }
      let iterations = try optimizer.run(objective, iterations: 60) { query in
        #expect(query.points.count == query.rows * count)
        #expect(isInside(query.points), "seed \(seed), round \(round)")
      }
      #expect(iterations.allSatisfy { isInside($0.parameters) }, "seed \(seed), round \(round)")
      let best = try #require(optimizer.best)
      #expect(
        isInside(best.parameters) && isInside(optimizer.current), "seed \(seed), round \(round)")
      #expect(best.value == objective.value(best.parameters), "seed \(seed), round \(round)")
    }
  }

  @Test(
    "restored after any answer, it goes on with the same bits", arguments: OptimizerMethod.allCases)
  func checkpoints(_ method: OptimizerMethod) throws {
    let objective = Objective.coupled(shift: Self.shift)
    let start = [0.9, 0.4, -0.5, 2.0]
    let numbers = method == .spsa ? ["resamplings": 2.0] : [:]
    var whole = try makeOptimizer(
      method, start, lower: [-1, -2, -3, 0], upper: [3, 3, 3, 2.5], numbers)
    var checkpoints: [(bytes: [UInt8], after: Int)] = [(whole.checkpoint(), 0)]
    var iterations: [OptimizerIteration] = []
    while whole.ending == nil, iterations.count < 25 {
      if let iteration = try whole.advance(objective) { iterations.append(iteration) }
      checkpoints.append((whole.checkpoint(), iterations.count))
    }
    #expect(iterations.count > 3)
    for (bytes, after) in checkpoints {
      var restored = try OptimizerMethod.restore(checkpoint: bytes)
      #expect(restored.checkpoint() == bytes)
      #expect(restored.iteration == UInt64(after))
      let rest = try restored.run(objective, iterations: iterations.count - after)
      #expect(outcomes(rest) == outcomes(Array(iterations.dropFirst(after))))
      #expect(restored.best?.parameters == whole.best?.parameters)
      #expect(restored.ending == whole.ending)
    }
  }

  @Test("the layout of checkpoints is that of format version 1")
  func layout() throws {
    // Another layout needs another version, else old checkpoints would be misread.
    let expected: [(OptimizerMethod, Int, UInt64)] = [
      (.spsa, 201, 0xfa77_8149_cb50_84e4), (.adam, 248, 0xbb2f_f662_f774_f7d8),
      (.lbfgs, 617, 0xd634_c3d6_5651_a740), (.nelderMead, 282, 0x9980_c57d_12e2_4901),
      (.rotosolve, 152, 0x83ee_09b5_924b_1a51),
    ]
    for (method, count, hash) in expected {
      let bytes = try makeOptimizer(method, [0.5, -1], lower: [-2, -2], upper: [2, 2])
        .checkpoint()
      #expect(bytes.count == count)
      #expect(OptimizerCheckpoint.hash(bytes[...]) == hash, "\(method)")
    }
    #expect(OptimizerCheckpoint.version == 1)
  }

  @Test("a damaged checkpoint is refused at every byte", arguments: OptimizerMethod.allCases)
  func damagedCheckpoint(_ method: OptimizerMethod) throws {
    let bytes = try makeOptimizer(method, [0.1, 0.2]).checkpoint()
    for index in bytes.indices {
      var damaged = bytes
      damaged[index] ^= 0x10
      #expect(throws: QubusError.self, "byte \(index)") {
        try OptimizerMethod.restore(checkpoint: damaged)
      }
      #expect(throws: QubusError.self, "length \(index)") {
        try OptimizerMethod.restore(checkpoint: Array(bytes.prefix(index)))
      }
      // With a checksum that fits, a wrong byte may be another number, but never a crash.
      let sum = OptimizerCheckpoint.hash(damaged.dropLast(8))
      let sealed = damaged.dropLast(8) + (0..<8).map { UInt8(truncatingIfNeeded: sum >> (8 * $0)) }
      if let restored = try? OptimizerMethod.restore(checkpoint: Array(sealed)) {
        #expect(restored.parameterCount == 2)
        if restored.ending == nil { #expect(restored.ask().points.count % 2 == 0) }
      }
    }
  }

  @Test(
    "numbers that are not finite end it and leave it as it was", arguments: OptimizerMethod.allCases
  )
  func diverged(_ method: OptimizerMethod) throws {
    var optimizer = try makeOptimizer(method, [0.4, 0.5])
    let objective = Objective.coupled(shift: [0.3, 0.2])
    for _ in 0..<4 { _ = try optimizer.advance(objective) }
    let before = optimizer.checkpoint()
    let answer = objective.answer(optimizer.ask())
    for bad in [Double.nan, .infinity, -.infinity] {
      for place in 0..<(answer.values.count + answer.gradients.count) {
        var (values, gradients) = answer
        if place < values.count {
          values[place] = bad
        } else {
          gradients[place - values.count] = bad
        }
        let error = #expect(throws: QubusError.self) { try optimizer.tell(values, gradients) }
        #expect(error?.code == .optimizerDiverged)
        #expect(error?.details["iteration"] == String(optimizer.iteration + 1))
        #expect(optimizer.checkpoint() == before)
      }
    }
    _ = try optimizer.tell(answer.values, answer.gradients)
  }

  @Test(
    "a query is the same however often and whichever way it is read",
    arguments: OptimizerMethod.allCases)
  func queries(_ method: OptimizerMethod) throws {
    var optimizer = try makeOptimizer(
      method, [0.9, 0.4, -0.5], lower: [-1, -1, -1], upper: [1, 1, 1])
    let objective = Objective.coupled(shift: [2, -0.7, 0.1])
    var told = 0
    while optimizer.ending == nil, told < 40 {
      let query = optimizer.ask()
      #expect(optimizer.ask() == query)
      #expect(query.wantsGradients == method.usesGradients)
      try optimizer.withQuery { (points, rows, wantsGradients) throws(QubusError) in
        let read = OptimizerQuery(
          points: Array(points), rows: rows, wantsGradients: wantsGradients)
        #expect(read == query)
      }
      _ = try optimizer.advance(objective)
      told += 1
    }
    #expect(told > 5)
  }

  @Test(
    "iterations are numbered from 1 and the best never rises", arguments: OptimizerMethod.allCases)
  func numbering(_ method: OptimizerMethod) throws {
    var optimizer = try makeOptimizer(method, [1.4, 0.5])
    #expect(optimizer.best == nil)
    #expect(optimizer.iteration == 0)
    var lowest = Double.infinity
    var number: UInt64 = 0
    let objective = Objective.coupled(shift: [0.3, 0.2])
    while optimizer.ending == nil, number < 30 {
      let answer = objective.answer(optimizer.ask())
      lowest = min(lowest, answer.values.min() ?? .infinity)
      if let iteration = try optimizer.tell(answer.values, answer.gradients) {
        number += 1
        #expect(iteration.number == number)
        #expect(iteration.gradientNorm.isNaN == [.nelderMead, .rotosolve].contains(method))
      }
      #expect(optimizer.best?.value == lowest)
      #expect(optimizer.iteration == number)
    }
    #expect(number > 2)
  }

  @Test("a parameter that its bounds fix does not move", arguments: OptimizerMethod.allCases)
  func fixedParameter(_ method: OptimizerMethod) throws {
    let center = [0.5, 0.8, -0.4]
    let objective =
      method == .rotosolve ? Objective.product(shift: center) : .quadratic(center: center)
    var optimizer = try makeOptimizer(
      method, [0, 0.25, 0.1], lower: [-1, 0.25, -1], upper: [1, 0.25, 1],
      method == .nelderMead
        ? ["value_tolerance": 1e-12] : method == .spsa ? ["learning_rate": 0.1] : [:])
    _ = try optimizer.run(objective, iterations: 600) { query in
      #expect(
        stride(from: 1, to: query.points.count, by: 3).allSatisfy { query.points[$0] == 0.25 })
    }
    let arrived = optimizer.current
    #expect(abs(arrived[0] - 0.5) < 0.02)
    #expect(arrived[1] == 0.25)
    #expect(abs(arrived[2] + 0.4) < 0.02)
  }

  @Test("a copy goes its own way")
  func valueSemantics() throws {
    let objective = Objective.rosenbrock
    for method in OptimizerMethod.allCases {
      var one = try makeOptimizer(method, [-0.5, 0.5])
      let two = one
      let before = two.checkpoint()
      _ = try one.run(objective, iterations: 3)
      #expect(two.checkpoint() == before)
      #expect(one.checkpoint() != before)
    }
  }
}

import Glibc
import QubusCore
import Testing

@testable import QubusOptimizers

@Suite("SPSA")
struct SPSATests {
  @Test("its first step is a₀ ĝ with the signs that the seed gives")
  func firstStep() throws {
    let start = (0..<40).map { 0.1 * Double($0) }
    var spsa = try makeOptimizer(
      .spsa, start, ["learning_rate": 0.3, "perturbation": 0.05, "stability": 4], seed: 99)
    let query = spsa.ask()
    #expect(query.rows == 2)
    let random = Philox(seed: 99)
    let signs = (0..<40).map { index -> Double in
      let uniform = random.uniform(
        draw: UInt32(index / 32), shot: 1, purpose: .perturbation, pub: 0, row: 0)
      return UInt64(uniform * 0x1p53) >> (21 + UInt64(index % 32)) & 1 == 1 ? 1 : -1
    }
    #expect(Set(signs).count == 2)
    for index in 0..<40 {
      #expect(query.points[index] == start[index] + 0.05 * signs[index])
      #expect(query.points[40 + index] == start[index] - 0.05 * signs[index])
    }
    let iteration = try #require(try spsa.tell([1.5, 1.1]))
    #expect(iteration.parameters == start)
    #expect(iteration.value == 1.3)
    let slope = 0.4 / 0.1
    #expect(abs(iteration.gradientNorm - slope * 40.0.squareRoot()) < 1e-9)
    // The middle of the next pair is where the step led.
    let next = spsa.ask().points
    let gain = 0.3 / pow(5, 0.602)
    for index in 0..<40 {
      let middle = (next[index] + next[40 + index]) / 2
      #expect(abs(middle - (start[index] - gain * slope * signs[index])) < 1e-9)
      #expect(abs(abs(next[index] - middle) - 0.05 / pow(2, 0.101)) < 1e-12)
    }
  }

  @Test("calibration makes the first step as long as asked for")
  func calibration() throws {
    var spsa = try makeOptimizer(
      .spsa, [0, 0, 0], ["calibration_steps": 10, "target_step": 0.4, "perturbation": 0.1])
    let query = spsa.ask()
    #expect(query.rows == 20)
    // Each pair differs by ±0.3, so every |slope| is 1.5, as in the first iteration.
    let values = (0..<20).map { $0 % 2 == 0 ? 0.3 : 0 }
    #expect(try spsa.tell(values) == nil)
    #expect(spsa.iteration == 0)
    #expect(spsa.ask().rows == 2)
    _ = try spsa.tell([0.3, 0])
    let next = spsa.ask().points
    for index in 0..<3 {
      #expect(abs(abs((next[index] + next[3 + index]) / 2) - 0.4) < 1e-12)
    }
  }

  @Test("a flat objective calibrates to a finite gain")
  func flat() throws {
    var spsa = try makeOptimizer(.spsa, [0.2, 0.1], ["stability": 10])
    for _ in 0..<20 { _ = try spsa.tell([Double](repeating: 2, count: spsa.ask().rows)) }
    #expect(spsa.ask().points.allSatisfy { $0.isFinite && abs($0) < 1 })
  }

  @Test("it gets near the minimum of a quadratic under noise")
  func noisyQuadratic() throws {
    let center = [0.5, -0.3, 0.8, 0.1]
    let quadratic = Objective.quadratic(center: center)
    let noise = Philox(seed: 5)
    var spsa = try makeOptimizer(
      .spsa, [0, 0, 0, 0], ["learning_rate": 0.1, "stability": 100, "perturbation": 0.1],
      seed: 11)
    var shot: UInt64 = 0
    var last: OptimizerIteration?
    for _ in 0..<4000 {
      let query = spsa.ask()
      let values = quadratic.answer(query).values.map { value in
        shot += 1
        return value
          + 0.1
          * (noise.uniform(draw: 0, shot: shot, purpose: .estimation, pub: 0, row: 0) - 0.5)
      }
      last = try spsa.tell(values) ?? last
    }
    let arrived = try #require(last).parameters
    #expect(zip(arrived, center).allSatisfy { abs($0 - $1) < 0.05 })
  }

  @Test("it minimizes a product of sinusoids after calibration")
  func sinusoids() throws {
    var spsa = try makeOptimizer(.spsa, [0.8, -0.4, 0.5], seed: 3)
    let objective = Objective.product(shift: [0.1, 0.2, 0.3])
    _ = try spsa.run(objective, iterations: 500)
    #expect(objective.value(spsa.current) < -0.99)
  }

  @Test("another seed takes another way, the same one the same")
  func seeds() throws {
    func way(_ seed: UInt64) throws -> [Double] {
      var spsa = try makeOptimizer(.spsa, [0.8, -0.4, 0.5], seed: seed)
      return try spsa.run(.product(shift: [0.1, 0.2, 0.3]), iterations: 30).map(\.value)
    }
    #expect(try way(1) == way(1))
    #expect(try way(1) != way(2))
  }

  @Test("signs are fair and do not follow one another")
  func signs() throws {
    // 64 parameters × 1,000 iterations: 4.9 σ on either side is a false alarm below 1e-6.
    var spsa = try makeOptimizer(
      .spsa, [Double](repeating: 0, count: 64), ["learning_rate": 1, "gamma": 0], seed: 17)
    var sum = 0.0
    var pairs = 0.0
    for _ in 0..<1000 {
      let points = spsa.ask().points
      let signs = (0..<64).map { points[$0] > 0 ? 1.0 : -1 }
      sum += signs.reduce(0, +)
      pairs += (0..<64).reduce(0) { $0 + signs[$1] * signs[($1 + 1) % 64] }
      _ = try spsa.tell([1, 1])
    }
    #expect(abs(sum) < 4.9 * 64_000.0.squareRoot())
    #expect(abs(pairs) < 4.9 * 64_000.0.squareRoot())
  }

  @Test("with a tolerance it ends when its steps become short")
  func tolerance() throws {
    var spsa = try makeOptimizer(
      .spsa, [0.5], ["learning_rate": 0.1, "parameter_tolerance": 1e-3])
    _ = try spsa.run(.quadratic(center: [0]), iterations: 5000)
    #expect(spsa.ending == .converged)
  }
}

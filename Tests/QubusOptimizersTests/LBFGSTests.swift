import Glibc
import QubusCore
import Testing

@testable import QubusOptimizers

@Suite("L-BFGS")
struct LBFGSTests {
  @Test("its first trial is a step of at most one along the gradient")
  func firstStep() throws {
    var lbfgs = try makeOptimizer(.lbfgs, [0, 0])
    #expect(try lbfgs.tell([1], [3, -4]) == nil)
    let trial = lbfgs.ask().points
    #expect(abs(trial[0] + 0.6) < 1e-12)
    #expect(abs(trial[1] - 0.8) < 1e-12)
  }

  @Test("it finds the minimum of Rosenbrock's function", arguments: [2, 5, 10, 30])
  func rosenbrock(_ count: Int) throws {
    var lbfgs = try makeOptimizer(
      .lbfgs, (0..<count).map { $0 % 2 == 0 ? -1.2 : 1 },
      ["gradient_tolerance": 1e-8, "value_tolerance": 0])
    var evaluations = 0
    let iterations = try lbfgs.run(.rosenbrock, iterations: 2000) { _ in evaluations += 1 }
    print("L-BFGS, Rosenbrock \(count): \(iterations.count) iterations, \(evaluations) evaluations")
    #expect(lbfgs.ending == .converged)
    // From this start the function of many parameters has a second minimum, near (-1, 1, …, 1).
    let slope = Objective.rosenbrock.gradient(try #require(iterations.last).parameters)
    #expect(slope.allSatisfy { abs($0) <= 1e-8 })
    if count == 2 {
      #expect(lbfgs.best?.parameters.allSatisfy { abs($0 - 1) < 1e-6 } == true)
      #expect(evaluations < 60)
    }
  }

  @Test("a quadratic takes few evaluations")
  func quadratic() throws {
    let center = (0..<20).map { sin(Double($0)) }
    var lbfgs = try makeOptimizer(.lbfgs, [Double](repeating: 0, count: 20))
    var evaluations = 0
    _ = try lbfgs.run(.quadratic(center: center), iterations: 200) { _ in evaluations += 1 }
    #expect(lbfgs.ending == .converged)
    #expect(evaluations < 40)
    let best = try #require(lbfgs.best).parameters
    #expect(zip(best, center).allSatisfy { abs($0 - $1) < 1e-6 })
  }

  @Test("values fall with every iteration")
  func descent() throws {
    var lbfgs = try makeOptimizer(.lbfgs, [1.4, 0.5, -2, 3])
    let iterations = try lbfgs.run(.coupled(shift: [0.3, 1, 2, -1]), iterations: 300)
    #expect(lbfgs.ending == .converged)
    for (one, next) in zip(iterations, iterations.dropFirst()) { #expect(next.value < one.value) }
  }

  @Test("with bounds it finds the constrained minimum")
  func bounds() throws {
    // Rosenbrock with x₀ ≤ 0.5: the minimum lies at (0.5, 0.25).
    var lbfgs = try makeOptimizer(.lbfgs, [-1.2, 1], lower: [-2, -2], upper: [0.5, 2])
    _ = try lbfgs.run(.rosenbrock, iterations: 500)
    #expect(lbfgs.ending == .converged)
    let best = try #require(lbfgs.best)
    #expect(best.parameters[0] == 0.5)
    #expect(abs(best.parameters[1] - 0.25) < 1e-6)
    #expect(abs(best.value - 0.25) < 1e-9)
  }

  @Test("separable quadratics end at the projection of their center")
  func projection() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed of projection: \(seed)")
    let random = Philox(seed: seed)
    for round in 0..<100 {
      var draw: UInt32 = 0
      func next() -> Double {
        draw += 1
        return 4
          * random.uniform(
            draw: draw, shot: UInt64(round), purpose: .perturbation, pub: 2, row: 0) - 2
      }
      let count = 1 + round % 12
      let center = (0..<count).map { _ in next() }
      let ends = (0..<count).map { _ in [next(), next()].sorted() }
      let (lower, upper) = (ends.map { $0[0] }, ends.map { $0[1] })
      let start = zip(lower, upper).map { ($0 + $1) / 2 }
      var lbfgs = try makeOptimizer(.lbfgs, start, lower: lower, upper: upper)
      _ = try lbfgs.run(.quadratic(center: center), iterations: 300)
      #expect(lbfgs.ending == .converged, "seed \(seed), round \(round)")
      let best = try #require(lbfgs.best).parameters
      for index in 0..<count {
        let expected = min(max(center[index], lower[index]), upper[index])
        #expect(abs(best[index] - expected) < 1e-5, "seed \(seed), round \(round)")
      }
    }
  }

  @Test("coupled sinusoids in a box end where no free component has a slope")
  func stationary() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed of stationary: \(seed)")
    let random = Philox(seed: seed)
    for round in 0..<200 {
      var draw: UInt32 = 0
      func next() -> Double {
        draw += 1
        return random.uniform(
          draw: draw, shot: UInt64(round), purpose: .perturbation, pub: 4, row: 0)
      }
      let count = 1 + round % 10
      let lower = (0..<count).map { _ in -3 * next() }
      let upper = lower.map { $0 + 4 * next() + 0.01 }
      let start = zip(lower, upper).map { min($0 + ($1 - $0) * next(), $1) }
      let objective = Objective.coupled(shift: (0..<count).map { _ in 6 * next() - 3 })
      var lbfgs = try makeOptimizer(
        .lbfgs, start, lower: lower, upper: upper, ["value_tolerance": 0])
      let iterations = try lbfgs.run(objective, iterations: 500)
      #expect(lbfgs.ending != nil, "seed \(seed), round \(round)")
      #expect(iterations.count < 200, "seed \(seed), round \(round)")
      let point = lbfgs.current
      for (index, slope) in objective.gradient(point).enumerated() {
        let held =
          slope > 0 && point[index] == lower[index] || slope < 0 && point[index] == upper[index]
        #expect(held || abs(slope) < 1e-5, "seed \(seed), round \(round)")
      }
    }
  }

  @Test("where it stands at a minimum it ends without an iteration")
  func startsAtMinimum() throws {
    var lbfgs = try makeOptimizer(.lbfgs, [1, 1])
    #expect(try lbfgs.advance(.rosenbrock) == nil)
    #expect(lbfgs.ending == .converged)
    #expect(lbfgs.iteration == 0)
    #expect(lbfgs.best?.value == 0)
  }

  @Test("a gradient that contradicts the values ends as stalled")
  func stalled() throws {
    let honest = Objective.quadratic(center: [0, 0])
    let liar = Objective(value: honest.value, gradient: { honest.gradient($0).map(-) })
    var lbfgs = try makeOptimizer(.lbfgs, [0.4, 0.3])
    let iterations = try lbfgs.run(liar, iterations: 100)
    #expect(lbfgs.ending == .stalled)
    #expect(iterations.isEmpty)
  }

  @Test("an objective without a lower bound ends by its numbers, not in a loop")
  func unboundedBelow() throws {
    let slope = Objective(value: { -$0[0] }, gradient: { _ in [-1] })
    var lbfgs = try makeOptimizer(.lbfgs, [0])
    var asked = 0
    while lbfgs.ending == nil, asked < 50_000 {
      let answer = slope.answer(lbfgs.ask())
      asked += 1
      do throws(QubusError) {
        _ = try lbfgs.tell(answer.values, answer.gradients)
      } catch {
        #expect(error.code == .optimizerDiverged)
        return
      }
    }
    #expect(lbfgs.best.map { $0.value < -1e9 } == true)
  }
}

import Glibc
import QubusCore
import Testing

@testable import QubusOptimizers

@Suite("Rotosolve")
struct RotosolveTests {
  @Test("it asks for each parameter in turn, at 0 and ±π/2")
  func points() throws {
    var rotosolve = try makeOptimizer(.rotosolve, [0.1, 0.2])
    let quarter = Double.pi / 2
    #expect(rotosolve.ask().points == [0.1, 0.2, 0.1 + quarter, 0.2, 0.1 - quarter, 0.2])
    let objective = Objective.product(shift: [0.6, 0.3])
    #expect(try rotosolve.advance(objective) == nil)
    let next = rotosolve.ask().points
    #expect(abs(next[0] - 0.6) < 1e-12)
    #expect(next[1] == 0.2)
    #expect(next[3] == 0.2 + quarter)
    let iteration = try #require(try rotosolve.advance(objective))
    #expect(abs(iteration.value + 1) < 1e-12)
    #expect(abs(iteration.parameters[1] - 0.3) < 1e-12)
  }

  @Test("one step is the paper's θ - π/2 - atan2(2 f₀ - f₊ - f₋, f₊ - f₋)")
  func closedForm() throws {
    for (middle, plus, minus) in [(0.3, 0.9, -0.2), (-1.0, 0.5, 0.4), (0.0, 0.1, 0.1)] {
      var rotosolve = try makeOptimizer(.rotosolve, [0.7])
      let iteration = try #require(try rotosolve.tell([middle, plus, minus]))
      let expected =
        0.7 - Double.pi / 2 - atan2(2 * middle - plus - minus, plus - minus)
      let turns = (iteration.parameters[0] - expected) / (2 * Double.pi)
      #expect(abs(turns - turns.rounded()) < 1e-12)
      #expect(abs(iteration.parameters[0] - 0.7) <= Double.pi)
    }
  }

  @Test("coupled sinusoids converge to a point without slope")
  func coupled() throws {
    let objective = Objective.coupled(shift: [0.3, 1, 2, -1])
    var rotosolve = try makeOptimizer(.rotosolve, [0.1, 0.1, 0.1, 0.1], ["value_tolerance": 1e-14])
    let iterations = try rotosolve.run(objective, iterations: 500)
    #expect(rotosolve.ending == .converged)
    let last = try #require(iterations.last)
    #expect(abs(last.value - objective.value(last.parameters)) < 1e-9)
    #expect(objective.gradient(last.parameters).allSatisfy { abs($0) < 1e-5 })
    for (one, next) in zip(iterations, iterations.dropFirst()) {
      #expect(next.value <= one.value + 1e-12)
    }
  }

  @Test("inside bounds it finds the lowest point of the interval")
  func bounds() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed of rotosolve bounds: \(seed)")
    let random = Philox(seed: seed)
    for round in 0..<300 {
      var draw: UInt32 = 0
      func next() -> Double {
        draw += 1
        return random.uniform(
          draw: draw, shot: UInt64(round), purpose: .perturbation, pub: 3, row: 0)
      }
      let low = 6 * next() - 3
      let high = low + 0.05 + 8 * next() * next()
      let start = next() < 0.2 ? low : next() < 0.2 ? high : low + (high - low) * next()
      let shift = 6 * next() - 3
      var rotosolve = try makeOptimizer(.rotosolve, [start], lower: [low], upper: [high])
      let objective = Objective.product(shift: [shift])
      let iteration = try #require(try rotosolve.advance(objective))
      let grid = (0...2000).map { low + (high - low) * Double($0) / 2000 }
      let lowest = grid.map { objective.value([$0]) }.min() ?? .infinity
      let reached = objective.value(iteration.parameters)
      #expect(reached <= lowest + 1e-6, "seed \(seed), round \(round)")
      #expect(abs(reached - iteration.value) < 1e-6, "seed \(seed), round \(round)")
    }
  }

  @Test("an interval too narrow for a fit takes the best of its points")
  func narrow() throws {
    var rotosolve = try makeOptimizer(
      .rotosolve, [0.5], lower: [0.5 - 1e-5], upper: [0.5 + 1e-5])
    let iteration = try #require(try rotosolve.advance(.product(shift: [2])))
    #expect(abs(iteration.parameters[0] - (0.5 + 1e-5)) < 1e-15)
  }

  @Test("a flat objective leaves the parameters where they are")
  func flat() throws {
    var rotosolve = try makeOptimizer(.rotosolve, [0.5, -0.1])
    while rotosolve.ending == nil { _ = try rotosolve.tell([2, 2, 2]) }
    #expect(rotosolve.iteration == 2)
    #expect(rotosolve.best?.parameters == [0.5, -0.1])
  }
}

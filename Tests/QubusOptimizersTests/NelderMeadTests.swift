import QubusCore
import Testing

@testable import QubusOptimizers

@Suite("Nelder–Mead")
struct NelderMeadTests {
  /// Iterations and evaluations until the ending.
  private func run(
    _ optimizer: inout any Optimizer, _ objective: Objective, limit: Int = 5000
  ) throws -> (iterations: [OptimizerIteration], evaluations: Int) {
    var evaluations = 0
    let iterations = try optimizer.run(objective, iterations: limit) { evaluations += $0.rows }
    return (iterations, evaluations)
  }

  private func isNear(_ one: [Double], _ other: [Double], _ distance: Double = 1e-9) -> Bool {
    zip(one, other).allSatisfy { abs($0 - $1) < distance }
  }

  @Test("it goes the way of SciPy 1.17, iteration by iteration")
  func scipy() throws {
    var simplex = try makeOptimizer(.nelderMead, [-1.2, 0, 1.5])
    let (iterations, evaluations) = try run(&simplex, .rosenbrock)
    // minimize(rosen, x0, method="Nelder-Mead", options={"adaptive": True})
    let tenth = [0x1.a485fe585d618p-2, 0x1.6dda40c1b22d7p-8, 0x1.97228975e1ee8p-1]
    let fortieth = [0x1.55cd95745ce37p-3, 0x1.de6e9f96ef2c8p-8, 0x1.74ee4d5297a59p-8]
    let last = [0.9999943676505296, 0.999989141481939, 0.9999739666831796]
    #expect(isNear(iterations[9].parameters, tenth))
    #expect(isNear(iterations[39].parameters, fortieth))
    // SciPy's `nit` counts from 1.
    try #require(iterations.count == 240 - 1)
    #expect(evaluations == 427)
    #expect(isNear(iterations[238].parameters, last, 1e-6))
    #expect(simplex.ending == .converged)
  }

  @Test("with bounds it goes the way of SciPy 1.17, too")
  func scipyBounds() throws {
    var simplex = try makeOptimizer(
      .nelderMead, [-1.2, 0, 1.5], lower: [-2, -1, 0], upper: [0.5, 2, 3])
    let (iterations, evaluations) = try run(&simplex, .rosenbrock)
    #expect(
      isNear(iterations[39].parameters, [0.5, 0x1.da163428a91fbp-3, 0]))
    try #require(iterations.count == 60 - 1)
    #expect(evaluations == 120)
    #expect(isNear(iterations[58].parameters, [0.5, 0.2324933439470911, 0]))
    #expect(abs(iterations[58].value - 1.1618891240269544) < 1e-12)
  }

  @Test("one parameter is enough")
  func oneParameter() throws {
    var simplex = try makeOptimizer(.nelderMead, [3], ["parameter_tolerance": 1e-6])
    _ = try run(&simplex, .quadratic(center: [0.25]))
    #expect(simplex.ending == .converged)
    #expect(simplex.best.map { abs($0.parameters[0] - 0.25) < 1e-3 } == true)
  }

  @Test("the first simplex has the edge asked for and turns inwards at an upper bound")
  func firstSimplex() throws {
    let open = try makeOptimizer(.nelderMead, [0, 2])
    #expect(open.ask().points == [0, 2, 0.00025, 2, 0, 2 * 1.05])
    let edged = try makeOptimizer(
      .nelderMead, [0, 2], lower: [-1, -1], upper: [1, 2], ["initial_step": 0.5])
    #expect(edged.ask().points == [0, 2, 0.5, 2, 0, 1.5])
  }

  @Test("it minimizes sinusoids from angles of zero")
  func sinusoids() throws {
    var simplex = try makeOptimizer(
      .nelderMead, [0, 0, 0, 0], ["initial_step": 0.3, "value_tolerance": 1e-10])
    _ = try run(&simplex, .product(shift: [0.4, -0.6, 0.2, 0.5]))
    #expect(simplex.ending == .converged)
    #expect(simplex.best.map { abs($0.value + 1) < 1e-7 } == true)
  }

  @Test("without tolerances it ends as soon as its simplex cannot shrink any more")
  func collapsed() throws {
    var simplex = try makeOptimizer(
      .nelderMead, [1, 1], ["parameter_tolerance": 0, "value_tolerance": 0])
    _ = try run(&simplex, .quadratic(center: [0.3, 0.1]), limit: 20_000)
    #expect(simplex.ending != nil)
    #expect(simplex.iteration < 20_000)
  }
}

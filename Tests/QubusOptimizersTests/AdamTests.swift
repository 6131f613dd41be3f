import Glibc
import QubusCore
import Testing

@testable import QubusOptimizers

@Suite("Adam")
struct AdamTests {
  @Test("its first step is as long as the learning rate along each parameter")
  func firstStep() throws {
    var adam = try makeOptimizer(.adam, [1, 1, 1], ["learning_rate": 0.1])
    let iteration = try #require(try adam.tell([5], [3, -400, 0]))
    #expect(iteration.parameters == [1, 1, 1])
    #expect(iteration.value == 5)
    #expect(iteration.gradientNorm == (9.0 + 160_000).squareRoot())
    let next = adam.ask().points
    #expect(abs(next[0] - 0.9) < 1e-8)
    #expect(abs(next[1] - 1.1) < 1e-8)
    #expect(next[2] == 1)
  }

  @Test("its steps are those of the paper's algorithm, written out")
  func trajectory() throws {
    let objective = Objective.rosenbrock
    let (rate, beta1, beta2, epsilon) = (0.02, 0.8, 0.95, 1e-6)
    var adam = try makeOptimizer(
      .adam, [-1.2, 1],
      ["learning_rate": rate, "beta1": beta1, "beta2": beta2, "epsilon": epsilon])
    var (x, m, v) = ([-1.2, 1], [0.0, 0], [0.0, 0])
    for t in 1...200 {
      let g = objective.gradient(x)
      let iteration = try #require(try adam.advance(objective))
      #expect(zip(iteration.parameters, x).allSatisfy { abs($0 - $1) < 1e-10 })
      for i in 0..<2 {
        m[i] = beta1 * m[i] + (1 - beta1) * g[i]
        v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i]
        let mean = m[i] / (1 - pow(beta1, Double(t)))
        let square = v[i] / (1 - pow(beta2, Double(t)))
        x[i] -= rate * mean / (square.squareRoot() + epsilon)
      }
    }
  }

  @Test("it finds the minimum of Rosenbrock's function and converges")
  func rosenbrock() throws {
    var adam = try makeOptimizer(.adam, [-1.2, 1], ["learning_rate": 0.02])
    let iterations = try adam.run(.rosenbrock, iterations: 20_000)
    #expect(adam.ending == .converged)
    #expect(iterations.last.map { $0.gradientNorm <= 1e-6 } == true)
    #expect(adam.best?.parameters.allSatisfy { abs($0 - 1) < 1e-4 } == true)
  }

  @Test("at a bound it converges where the gradient points outwards")
  func bound() throws {
    var adam = try makeOptimizer(.adam, [0.4, 0], lower: [-1, -1], upper: [0.5, 1])
    _ = try adam.run(.quadratic(center: [2, 0.3]), iterations: 20_000)
    #expect(adam.ending == .converged)
    let best = try #require(adam.best).parameters
    #expect(best[0] == 0.5)
    #expect(abs(best[1] - 0.3) < 1e-5)
  }

  @Test("without a tolerance it never ends")
  func endless() throws {
    var adam = try makeOptimizer(.adam, [0], ["gradient_tolerance": 0])
    for _ in 0..<100 { _ = try adam.tell([1], [0]) }
    #expect(adam.ending == nil)
    #expect(adam.iteration == 100)
  }
}

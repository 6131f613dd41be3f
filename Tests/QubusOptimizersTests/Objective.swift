import Glibc
import QubusCore

@testable import QubusOptimizers

/// A function with a known minimum.
struct Objective: Sendable {
  let value: @Sendable ([Double]) -> Double
  let gradient: @Sendable ([Double]) -> [Double]

  /// Σ weight (x - center)², weights 1, 2, 3, …
  static func quadratic(center: [Double]) -> Objective {
    Objective(
      value: { x in
        x.indices.reduce(0) {
          $0 + Double($1 + 1) * (x[$1] - center[$1]) * (x[$1] - center[$1])
        }
      },
      gradient: { x in x.indices.map { 2 * Double($0 + 1) * (x[$0] - center[$0]) } })
  }

  /// Minimum 0 at (1, …, 1).
  static let rosenbrock = Objective(
    value: { x in
      (1..<x.count).reduce(0) { sum, i in
        let (bend, rest) = (x[i] - x[i - 1] * x[i - 1], 1 - x[i - 1])
        return sum + (100 * (bend * bend) + rest * rest)
      }
    },
    gradient: { x in
      var slope = x.map { _ in 0.0 }
      for i in 1..<x.count {
        let bend = x[i] - x[i - 1] * x[i - 1]
        slope[i] += 200 * bend
        slope[i - 1] -= 400 * bend * x[i - 1] + 2 * (1 - x[i - 1])
      }
      return slope
    })

  /// -Π cos(x - shift): in each parameter a sinusoid, like an expectation value of rotations.
  /// Minimum -1.
  static func product(shift: [Double]) -> Objective {
    Objective(
      value: { x in -x.indices.reduce(1) { $0 * cos(x[$1] - shift[$1]) } },
      gradient: { x in
        x.indices.map { k in
          x.indices.reduce(1) {
            $0 * ($1 == k ? sin(x[$1] - shift[$1]) : cos(x[$1] - shift[$1]))
          }
        }
      })
  }

  /// Σ -cos(x - shift) - ½ sin(x) cos(next x): coupled sinusoids, several local minima.
  static func coupled(shift: [Double]) -> Objective {
    Objective(
      value: { x in
        x.indices.reduce(0) {
          $0 - cos(x[$1] - shift[$1]) - 0.5 * sin(x[$1]) * cos(x[($1 + 1) % x.count])
        }
      },
      gradient: { x in
        let n = x.count
        return x.indices.map {
          sin(x[$0] - shift[$0]) - 0.5 * cos(x[$0]) * cos(x[($0 + 1) % n])
            + 0.5 * sin(x[($0 + n - 1) % n]) * sin(x[$0])
        }
      })
  }

  /// The values and gradients that a query asks for.
  func answer(_ query: OptimizerQuery) -> (values: [Double], gradients: [Double]) {
    let count = query.points.count / query.rows
    let rows = (0..<query.rows).map { Array(query.points[$0 * count..<($0 + 1) * count]) }
    return (rows.map(value), query.wantsGradients ? rows.flatMap(gradient) : [])
  }
}

extension Optimizer {
  mutating func tell(
    _ values: [Double], _ gradients: [Double] = []
  ) throws(QubusError) -> OptimizerIteration? {
    let values = values
    var outcome: Result<OptimizerIteration?, QubusError> = .success(nil)
    values.withUnsafeBufferPointer { values in
      gradients.withUnsafeBufferPointer { gradients in
        do throws(QubusError) {
          outcome = .success(try tell(values: values, gradients: gradients))
        } catch {
          outcome = .failure(error)
        }
      }
    }
    return try outcome.get()
  }

  /// One round of ask and tell.
  mutating func advance(_ objective: Objective) throws -> OptimizerIteration? {
    let (values, gradients) = objective.answer(ask())
    return try tell(values, gradients)
  }

  /// Runs until the ending or so many iterations.
  mutating func run(
    _ objective: Objective, iterations limit: Int,
    watching: (OptimizerQuery) -> Void = { _ in }
  ) throws -> [OptimizerIteration] {
    var iterations: [OptimizerIteration] = []
    while ending == nil, iterations.count < limit {
      watching(ask())
      if let iteration = try advance(objective) { iterations.append(iteration) }
    }
    return iterations
  }
}

func makeOptimizer(
  _ method: OptimizerMethod, _ start: [Double], lower: [Double] = [], upper: [Double] = [],
  _ numbers: [String: Double] = [:], seed: UInt64 = 7
) throws -> any Optimizer {
  try OptimizerOptions(
    method: method.rawValue, initialParameters: start, lower: lower, upper: upper,
    numbers: numbers, seed: seed
  ).makeOptimizer()
}

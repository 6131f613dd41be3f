internal import Glibc
internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore

/// How long a step should take on one thread.
///
/// Figures measured by `StepBenchmarks` on one core with AVX-512, complex128; complex64 takes half
/// of what grows with the state.
struct StepCost: Sendable {
  private let shared: StepProgram
  /// Of one row's evolution: binding, operations, and the norm.
  private let evolution: Double
  /// Of reading all observables, and of one observable's way back.
  private let reading: Double
  private let sweep: Double
  private let groups: Int
  private let shifted: Int

  private static let perRow = 0.4e-6
  private static let perGate = 0.03e-6
  private static let perOperation = 0.02e-6
  private static let perString = 0.012e-6
  /// Of states in the second cache, and of larger ones: reading a string, applying one, and one
  /// angle's share of the stops.
  private static let cached = (read: 0.06e-9, apply: 0.1e-9, angle: 0.04e-9)
  private static let uncached = (read: 0.12e-9, apply: 0.18e-9, angle: 0.08e-9)
  private static let perNormAmplitude = 0.1e-9
  private static let perGroup = 4e-6
  private static let perSampledAmplitude = 2.5e-9
  private static let perShot = 22e-9

  init(_ shared: StepProgram, _ plan: Plan?) {
    self.shared = shared
    let amplitudes =
      Double(sign: .plus, exponent: shared.qubitCount, significand: 1)
      * (shared.precision == .single ? 0.5 : 1)
    let gates = Double(shared.gates?.count ?? shared.program.analysis.gateCount)
    let operations = plan.map { PlanReport($0).seconds } ?? gates * amplitudes * 0.2e-9
    evolution =
      Self.perRow + gates * Self.perGate
      + Double(plan?.operations.count ?? Int(gates)) * Self.perOperation + operations
      + amplitudes * Self.perNormAmplitude
    let strings = Double(shared.observables.reduce(0) { $0 + $1.terms.count })
    let figures = shared.qubitCount <= 12 ? Self.cached : Self.uncached
    reading = strings * (Self.perString + amplitudes * figures.read)
    let angles = Double(shared.wanted.count { $0 })
    let own = strings / Double(max(1, shared.observables.count))
    sweep =
      2.5 * evolution + own * (Self.perString + amplitudes * figures.apply)
      + angles * (Self.perString + amplitudes * figures.angle)
    groups = MeasurementGroups(shared.observables).groups.count
    shifted = 2 * shared.wanted.count { $0 }
  }

  func seconds(_ order: StepOrder) -> Double {
    let amplitudes = Double(sign: .plus, exponent: shared.qubitCount, significand: 1)
    var row = 0.0
    if order.outputs.contains(.counts) {
      row +=
        evolution + Self.perGroup + amplitudes * Self.perSampledAmplitude
        + Double(order.shots) * Self.perShot
    }
    if !order.outputs.isDisjoint(with: .ofOneState) { row += evolution }
    if order.isSampled {
      let circuits =
        Double(order.outputs.contains(.values) ? 1 : 0)
        + Double(order.outputs.contains(.gradients) ? shifted : 0)
      row +=
        circuits
        * (evolution + Double(groups)
          * (Self.perGroup + amplitudes * 2 * Self.perSampledAmplitude))
        + Double(order.shots) * Self.perShot
    } else if order.outputs.contains(.gradients) {
      row += Double(shared.observables.count) * (sweep + evolution)
    } else if order.outputs.contains(.values) {
      row += reading
    }
    return Double(order.rows) * row
  }
}

internal import QubusCore

/// Divides rotations of a stage by one of their entries, so that they cost half, and gives what was
/// divided out to one operation of the stage that has room for it.
struct StageScale: Sendable {
  /// Uncontrolled one-target `real` and `cross` operations, in order, without the sink.
  private var rotations: [Int32] = []
  /// An uncontrolled operation that takes the scale, or -1 when a stage has none and needs none.
  private var sink: Int32 = -1
  private var smallest: Double

  /// Rotations whose entries differ more than this are left as they are where the larger entry
  /// cannot be divided out.
  private static let ratioLimit = 4.0

  init(
    _ plan: Plan, _ stage: PlanStage, _ cancellation: CancellationFlag?
  ) throws(QubusError) {
    smallest = plan.precision == .single ? 0x1p-30 : 0x1p-300
    for index in stage.operations {
      try cancellation.poll(index)
      let operation = plan.operations[index]
      guard operation.controlMask == 0 else { continue }
      switch operation.kind {
      case .real where operation.targets.count == 1, .cross: rotations.append(Int32(index))
      case .linear, .diagonal, .dense, .real, .phase: sink = Int32(index)
      case .negate, .flip, .swap: break
      }
    }
    if sink < 0, let last = rotations.popLast() { sink = last }
  }

  /// - Throws: `execution_canceled`.
  func apply(
    _ plan: Plan, raw: [Double], _ numbers: inout PlanNumbers, _ cancellation: CancellationFlag?
  ) throws(QubusError) {
    var scale = 1.0
    for (step, rotation) in rotations.enumerated() {
      if step > 0 { try cancellation.poll(step) }
      let offset = plan.operations[Int(rotation)].offset
      let matrix = (raw[offset], raw[offset + 1], raw[offset + 2], raw[offset + 3])
      let choice = Self.form(matrix)
      var divisor = choice.divisor
      var form = choice.form
      if abs(scale * divisor) < smallest {
        form = .general
        divisor = 1 / scale
      }
      let factor = 1 / divisor
      let place = offset
      numbers.forms[Int(rotation)] = form.rawValue
      numbers.coefficients[place] = matrix.0 * factor
      numbers.coefficients[place + 1] = matrix.1 * factor
      numbers.coefficients[place + 2] = matrix.2 * factor
      numbers.coefficients[place + 3] = matrix.3 * factor
      scale *= divisor
      switch form {
      case .general: break
      case .unitDiagonal: (numbers.coefficients[place], numbers.coefficients[place + 3]) = (1, 1)
      case .unitExchange:
        (numbers.coefficients[place + 1], numbers.coefficients[place + 2]) = (1, 1)
      case .unitTurn:
        (numbers.coefficients[place + 1], numbers.coefficients[place + 2]) = (-1, 1)
      }
    }
    guard sink >= 0 else { return }
    let operation = plan.operations[Int(sink)]
    // A linear operation takes it in its constant, all others in every number.
    let count = operation.kind == .linear ? 2 : operation.coefficientCount
    for place in operation.offset..<operation.offset + count {
      numbers.coefficients[place] = raw[place] * scale
    }
  }

  /// What to divide a rotation by.
  private static func form(
    _ m: (Double, Double, Double, Double)
  ) -> (form: RotationForm, divisor: Double) {
    let tolerance = 4e-15
    let diagonal = abs(m.0)
    let other = abs(m.1)
    let isDiagonalEqual = abs(m.0 - m.3) <= tolerance * diagonal
    if isDiagonalEqual, diagonal >= other { return (.unitDiagonal, m.0) }
    if other * ratioLimit >= diagonal, other > 0 {
      if abs(m.1 - m.2) <= tolerance * other { return (.unitExchange, m.1) }
      if abs(m.1 + m.2) <= tolerance * other { return (.unitTurn, m.2) }
    }
    if isDiagonalEqual, diagonal * ratioLimit >= other { return (.unitDiagonal, m.0) }
    return (.general, 1)
  }
}

/// Raw values are those of `qk_form` in `qubus_kernels.h`.
enum RotationForm: UInt8 {
  case general, unitDiagonal, unitExchange, unitTurn
}

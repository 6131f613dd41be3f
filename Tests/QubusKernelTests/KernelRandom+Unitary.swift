import CQubusKernels
import Foundation

extension KernelRandom {
  /// A unitary operation of any kind; a unit form comes with the phase that restores its scale.
  mutating func appendUnitary(bits: Int, to program: inout KernelProgram) {
    let angle = real() * .pi
    let (cosine, sine) = (cos(angle), sin(angle))
    let phase = { (angle: Double) in [cos(angle), sin(angle)] }
    switch below(8) {
    case 0:
      let two = targets(2, bits: bits)
      program.append(qk_op(below(2) == 0 ? QK_SWAP : QK_FLIP, targets: two), [])
      program.ops[program.ops.count - 1].target_count =
        program.ops.last?.kind == UInt8(QK_SWAP.rawValue) ? 2 : 1
    case 1:
      let controls = controls(beside: [], bits: bits)
      program.append(qk_op(QK_NEGATE, targets: [], controls: controls, value: controls), [])
    case 2:
      let controls = controls(beside: [], bits: bits)
      program.append(
        qk_op(QK_PHASE, targets: [], controls: controls, value: controls), phase(angle))
    case 3:
      let chosen = targets(1 + below(5), bits: bits)
      let values = (0..<1 << chosen.count).flatMap { _ in phase(real() * .pi) }
      program.append(qk_op(QK_DIAGONAL, targets: chosen), values)
    case 4:
      var op = qk_op(QK_LINEAR, targets: [])
      op.factor_mask = UInt32(truncatingIfNeeded: self.bits()) & ((1 << UInt32(bits)) - 1)
      let values = (0...op.factor_mask.nonzeroBitCount).flatMap { _ in phase(real() * .pi) }
      program.append(op, values)
    case 5:
      appendRotation(cosine, sine, bits: bits, to: &program)
    default:
      let chosen = targets(1 + below(5), bits: bits)
      program.append(qk_op(QK_DENSE, targets: chosen), unitary(chosen.count))
    }
  }

  /// A rotation by its unit form and a phase that multiplies what was divided out, or as it is.
  private mutating func appendRotation(
    _ cosine: Double, _ sine: Double, bits: Int, to program: inout KernelProgram
  ) {
    let real = below(2) == 0
    let target = targets(1, bits: bits)
    var op = qk_op(real ? QK_REAL : QK_CROSS, targets: target)
    if below(3) == 0 {
      program.append(op, real ? [cosine, -sine, sine, cosine] : [cosine, sine, sine, cosine])
      return
    }
    let scale: Double
    if abs(cosine) > abs(sine) {
      scale = cosine
      op.form = UInt8(QK_FORM_UNIT_DIAGONAL.rawValue)
      program.append(op, [1, (real ? -sine : sine) / scale, sine / scale, 1])
    } else {
      scale = sine
      op.form = UInt8((real ? QK_FORM_UNIT_TURN : QK_FORM_UNIT_EXCHANGE).rawValue)
      program.append(op, [cosine / scale, real ? -1 : 1, 1, cosine / scale])
    }
    program.append(qk_op(QK_PHASE, targets: []), [scale, 0])
  }

  /// Random rows, orthonormalised one after the other.
  mutating func unitary(_ targets: Int) -> [Double] {
    let size = 1 << targets
    var rows: [[Double]] = []
    for _ in 0..<size {
      var row = reals(2 * size)
      for other in rows + rows {
        var (re, im) = (0.0, 0.0)
        for k in stride(from: 0, to: 2 * size, by: 2) {
          re += other[k] * row[k] + other[k + 1] * row[k + 1]
          im += other[k] * row[k + 1] - other[k + 1] * row[k]
        }
        for k in stride(from: 0, to: 2 * size, by: 2) {
          row[k] -= re * other[k] - im * other[k + 1]
          row[k + 1] -= re * other[k + 1] + im * other[k]
        }
      }
      let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
      rows.append(row.map { $0 / length })
    }
    return rows.flatMap { $0 }
  }
}

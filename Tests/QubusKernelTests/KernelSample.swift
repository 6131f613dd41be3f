import CQubusKernels
import Testing

/// A seeded source of operations and amplitudes (splitmix64), printed as its seed by the tests.
struct KernelRandom {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func bits() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
  mutating func below(_ bound: Int) -> Int { Int(bits() >> 33) % bound }
  mutating func real() -> Double { Double(bits() >> 11) * 0x1p-52 - 1 }
  mutating func reals(_ count: Int) -> [Double] { (0..<count).map { _ in real() } }
}

/// Operations and their numbers, as one call takes them.
struct KernelProgram {
  var ops: [qk_op] = []
  var numbers: [Double] = []

  mutating func append(_ op: qk_op, _ values: [Double]) {
    var op = op
    op.offset = UInt32(numbers.count)
    ops.append(op)
    numbers += values
  }
}

extension qk_op {
  init(_ kind: qk_kind, targets: [Int], controls: UInt32 = 0, value: UInt32 = 0) {
    self.init()
    self.kind = UInt8(kind.rawValue)
    target_count = UInt8(targets.count)
    withUnsafeMutableBytes(of: &self.targets) { place in
      for (index, target) in targets.enumerated() { place[index] = UInt8(target) }
    }
    control_mask = controls
    control_value = value & controls
  }

  var targetList: [Int] {
    withUnsafeBytes(of: targets) { $0.prefix(Int(target_count)).map(Int.init) }
  }
}

extension KernelRandom {
  /// Distinct bits, half of the time crowded at the low end, where the lanes are.
  mutating func targets(_ count: Int, bits: Int) -> [Int] {
    let range = below(2) == 0 ? bits : min(bits, max(6, count))
    var chosen: [Int] = []
    while chosen.count < count {
      let bit = below(range)
      if !chosen.contains(bit) { chosen.append(bit) }
    }
    return chosen
  }

  /// None, a few or many controls beside the targets.
  mutating func controls(beside targets: [Int], bits: Int) -> UInt32 {
    let count = below(3) == 0 ? below(bits) : below(3)
    var mask: UInt32 = 0
    for _ in 0..<count {
      let bit = below(bits)
      if !targets.contains(bit) { mask |= 1 << UInt32(bit) }
    }
    return mask
  }

  mutating func append(
    _ kind: qk_kind, form: qk_form = QK_FORM_GENERAL, targets: [Int], bits: Int,
    to program: inout KernelProgram
  ) {
    let controls = controls(beside: targets, bits: bits)
    var op = qk_op(
      kind, targets: targets, controls: controls,
      value: below(2) == 0 ? controls : UInt32(truncatingIfNeeded: self.bits()))
    op.form = UInt8(form.rawValue)
    let rows = 1 << targets.count
    var values: [Double]
    switch kind {
    case QK_PHASE: values = reals(2)
    case QK_DIAGONAL: values = reals(2 * rows)
    case QK_DENSE: values = reals(2 * rows * rows)
    case QK_REAL, QK_CROSS: values = reals(rows * rows)
    case QK_LINEAR:
      op.factor_mask = UInt32(truncatingIfNeeded: self.bits()) & ((1 << UInt32(bits)) - 1)
      values = reals(2 + 2 * op.factor_mask.nonzeroBitCount)
    default: values = []
    }
    switch form {
    case QK_FORM_UNIT_DIAGONAL: (values[0], values[3]) = (1, 1)
    case QK_FORM_UNIT_EXCHANGE: (values[1], values[2]) = (1, 1)
    case QK_FORM_UNIT_TURN: (values[1], values[2]) = (-1, 1)
    default: break
    }
    program.append(op, values)
  }

  mutating func appendAny(bits: Int, to program: inout KernelProgram) {
    let (kind, form, count) = KernelShape.all[below(KernelShape.all.count)].parts
    append(kind, form: form, targets: targets(count, bits: bits), bits: bits, to: &program)
  }
}

/// Every kind, form and number of targets.
struct KernelShape: CustomTestStringConvertible {
  let parts: (kind: qk_kind, form: qk_form, targets: Int)
  var testDescription: String {
    "kind \(parts.kind.rawValue) form \(parts.form.rawValue) targets \(parts.targets)"
  }

  static let all: [KernelShape] = {
    var shapes: [(qk_kind, qk_form, Int)] = [
      (QK_PHASE, QK_FORM_GENERAL, 0), (QK_NEGATE, QK_FORM_GENERAL, 0),
      (QK_FLIP, QK_FORM_GENERAL, 1), (QK_SWAP, QK_FORM_GENERAL, 2),
      (QK_LINEAR, QK_FORM_GENERAL, 0), (QK_REAL, QK_FORM_GENERAL, 2),
      (QK_REAL, QK_FORM_GENERAL, 3),
    ]
    for kind in [QK_REAL, QK_CROSS] {
      for form in [
        QK_FORM_GENERAL, QK_FORM_UNIT_DIAGONAL, QK_FORM_UNIT_EXCHANGE, QK_FORM_UNIT_TURN,
      ] {
        shapes.append((kind, form, 1))
      }
    }
    for count in 1...5 {
      shapes += [(QK_DIAGONAL, QK_FORM_GENERAL, count), (QK_DENSE, QK_FORM_GENERAL, count)]
    }
    return shapes.map { KernelShape(parts: $0) }
  }()
}

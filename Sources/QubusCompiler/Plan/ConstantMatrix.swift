internal import QubusCircuit

/// A constant 2 × 2 unitary, row-major, and what it is.
struct ConstantMatrix {
  enum Form { case diagonal, antidiagonal, real, cross, dense }

  let entries: [Complex]
  let form: Form
  /// A number of magnitude 1 such that the matrix divided by it is real or cross, when there is
  /// one; else 1.
  let phase: Complex

  /// Entries that differ from 0 or each other by rounding alone are taken as equal.
  init(_ numbers: [Complex]) {
    entries = numbers.map(\.snapped)
    form = Self.form(entries)
    phase = form == .dense ? Self.phase(entries) : .one
  }

  subscript(_ index: Int) -> Complex { entries[index] }

  /// The matrix divided by `phase`.
  var withoutPhase: ConstantMatrix {
    phase == .one ? self : ConstantMatrix(entries.map { $0 * phase.conjugate })
  }

  /// True for a function of X.
  var isExchange: Bool { entries[0] == entries[3] && entries[1] == entries[2] }

  var gateKind: PlanGate.Kind {
    switch form {
    case .real: .real
    case .cross: .cross
    case .diagonal, .antidiagonal, .dense:
      // A controlled Y, say.
      entries.allSatisfy { $0.im == 0 }
        ? .real
        : entries[0].im == 0 && entries[3].im == 0 && entries[1].re == 0 && entries[2].re == 0
          ? .cross : .dense
    }
  }

  /// `next` applied after this matrix.
  func followed(by next: ConstantMatrix) -> ConstantMatrix {
    let (a, b) = (next.entries, entries)
    return ConstantMatrix([
      a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3],
      a[2] * b[0] + a[3] * b[2], a[2] * b[1] + a[3] * b[3],
    ])
  }

  private static func form(_ m: [Complex]) -> Form {
    if m[1] == .zero && m[2] == .zero { return .diagonal }
    if m[0] == .zero && m[3] == .zero { return .antidiagonal }
    if m.allSatisfy({ $0.im == 0 }) { return .real }
    if m[0].im == 0 && m[3].im == 0 && m[1].re == 0 && m[2].re == 0 { return .cross }
    return .dense
  }

  private static func phase(_ m: [Complex]) -> Complex {
    let magnitude = m[0].squaredMagnitude.squareRoot()
    guard magnitude > 1e-8 else { return .one }
    let phase = (1 / magnitude) * m[0]
    switch form(m.map { ($0 * phase.conjugate).snapped }) {
    case .real, .cross: return phase
    case .diagonal, .antidiagonal, .dense: return .one
    }
  }
}

extension Complex {
  /// Parts within rounding of 0, 1 and -1 become exact (angles such as π are rounded themselves).
  var snapped: Complex { Complex(Self.snap(re), Self.snap(im)) }

  private static func snap(_ x: Double) -> Double {
    let tolerance = 5e-16
    if abs(x) < tolerance { return 0 }
    if abs(x - 1) < tolerance { return 1 }
    if abs(x + 1) < tolerance { return -1 }
    return x
  }
}

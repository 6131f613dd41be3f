internal import QubusCircuit

/// A constant 2 × 2 unitary, row-major, and what it is.
struct ConstantMatrix {
  enum Form { case diagonal, antidiagonal, real, cross, dense }

  let a: Complex
  let b: Complex
  let c: Complex
  let d: Complex
  let form: Form
  /// A number of magnitude 1 such that the matrix divided by it is real or cross, when there is
  /// one; else 1.
  let phase: Complex

  /// Entries that differ from 0 or ±1 by rounding alone are taken as equal.
  init(_ a: Complex, _ b: Complex, _ c: Complex, _ d: Complex) {
    (self.a, self.b, self.c, self.d) = (a.snapped, b.snapped, c.snapped, d.snapped)
    form = Self.form(self.a, self.b, self.c, self.d)
    phase = form == .dense ? Self.phase(self.a, self.b, self.c, self.d) : .one
  }

  var entries: [Complex] { [a, b, c, d] }

  /// The matrix divided by `phase`.
  var withoutPhase: ConstantMatrix {
    if phase == .one { return self }
    let inverse = phase.conjugate
    return ConstantMatrix(a * inverse, b * inverse, c * inverse, d * inverse)
  }

  /// True for a function of X.
  var isExchange: Bool { a == d && b == c }

  var gateKind: PlanGate.Kind {
    switch form {
    case .real: .real
    case .cross: .cross
    case .diagonal, .antidiagonal, .dense:
      // A controlled Y, say.
      Self.isReal(a, b, c, d) ? .real : Self.isCross(a, b, c, d) ? .cross : .dense
    }
  }

  /// `next` applied after this matrix.
  func followed(by next: ConstantMatrix) -> ConstantMatrix {
    ConstantMatrix(
      next.a * a + next.b * c, next.a * b + next.b * d, next.c * a + next.d * c,
      next.c * b + next.d * d)
  }

  private static func isReal(_ a: Complex, _ b: Complex, _ c: Complex, _ d: Complex) -> Bool {
    a.im == 0 && b.im == 0 && c.im == 0 && d.im == 0
  }

  private static func isCross(_ a: Complex, _ b: Complex, _ c: Complex, _ d: Complex) -> Bool {
    a.im == 0 && d.im == 0 && b.re == 0 && c.re == 0
  }

  private static func form(_ a: Complex, _ b: Complex, _ c: Complex, _ d: Complex) -> Form {
    if b == .zero && c == .zero { return .diagonal }
    if a == .zero && d == .zero { return .antidiagonal }
    if isReal(a, b, c, d) { return .real }
    return isCross(a, b, c, d) ? .cross : .dense
  }

  private static func phase(_ a: Complex, _ b: Complex, _ c: Complex, _ d: Complex) -> Complex {
    let magnitude = a.squaredMagnitude.squareRoot()
    guard magnitude > 1e-8 else { return .one }
    let phase = (1 / magnitude) * a
    let inverse = phase.conjugate
    let divided = form(
      (a * inverse).snapped, (b * inverse).snapped, (c * inverse).snapped, (d * inverse).snapped)
    return divided == .real || divided == .cross ? phase : .one
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

internal import QubusCircuit
internal import QubusCore

/// Chooses bases between constant blocks, so that blocks on two targets have entries that kernels
/// need not multiply: two zeros and three real ones of sixteen, a fifth of the arithmetic.
///
/// A block M whose targets both meet a block next may be followed by A ⊗ B if those absorb the
/// inverses. A is on the higher target and B on the lower, and zero are the entries of (A ⊗ B) M
/// that flip the lower bit while the higher is 0 before and after. These are a row of A times the
/// vectors `u0`, `u1`, of which one row of B each shall be orthogonal to one: it can be when `u0`
/// and `u1` are orthogonal themselves. That is α† K α = 0 for the row α of A and a 2 × 2 matrix K
/// without trace (M's columns are orthogonal), which has a solution for every K.
struct BasisChoice: Sendable {
  private struct Link {
    var block: Int32
    /// The blocks that follow on the lower and on the higher target.
    var low: Int32
    var high: Int32
  }

  /// Rows of a 2 × 2 unitary.
  private typealias Unitary = (
    (Complex, Complex), (Complex, Complex)
  )

  /// Below this binding matters more than the arithmetic.
  private static let smallestQubitCount = 12

  private var links: [Link] = []

  init(
    _ plan: Plan, _ dependents: GateDependents, _ cancellation: CancellationFlag?
  ) throws(QubusError) {
    guard plan.qubitCount >= Self.smallestQubitCount else { return }
    var isConstant = [Bool](repeating: true, count: plan.operations.count)
    for (step, gate) in dependents.parametric.enumerated() {
      try cancellation.poll(step)
      for place in dependents.range(gate) {
        isConstant[Int(dependents.operations[place])] = false
      }
    }
    func absorbs(_ index: Int32) -> Bool {
      guard index >= 0, isConstant[Int(index)] else { return false }
      let operation = plan.operations[Int(index)]
      return operation.kind == .dense && operation.targets.count <= 2
        && operation.controlMask == 0
    }
    var next = [Int32](repeating: -1, count: 64)
    for index in plan.operations.indices.reversed() {
      try cancellation.poll(index)
      let operation = plan.operations[index]
      if absorbs(Int32(index)), operation.targets.count == 2 {
        let low = Int(min(operation.targets[0], operation.targets[1]))
        let high = Int(max(operation.targets[0], operation.targets[1]))
        // Two lanes: every register holds all entries, none can be left out.
        if high >= plan.precision.laneBits, absorbs(next[low]), absorbs(next[high]) {
          links.append(Link(block: Int32(index), low: next[low], high: next[high]))
        }
      }
      var touched = operation.controlMask | operation.factorMask
      for target in operation.targets { touched |= 1 << UInt64(target) }
      while touched != 0 {
        next[touched.trailingZeroBitCount] = Int32(index)
        touched &= touched - 1
      }
    }
    links.reverse()
  }

  /// - Parameter raw: numbers of all operations of the plan that was given at the start.
  /// - Throws: `execution_canceled`.
  func apply(
    _ plan: Plan, _ raw: inout [Double], _ cancellation: CancellationFlag?
  ) throws(QubusError) {
    for (step, link) in links.enumerated() {
      try cancellation.poll(step)
      let operation = plan.operations[Int(link.block)]
      let (first, second) = (operation.targets[0], operation.targets[1])
      let lowBit = first < second ? 1 : 2
      var entries = (0..<16).map { Self.entry(raw, operation.offset, $0) }
      guard let (a, b) = Self.bases(entries, lowBit) else { continue }
      Self.multiply(a, &entries, bit: 3 ^ lowBit)
      Self.multiply(b, &entries, bit: lowBit)
      entries[lowBit] = .zero
      entries[4 * lowBit] = .zero
      for row in 0..<3 { entries[5 * row].im = 0 }
      for index in 0..<16 {
        raw[operation.offset + 2 * index] = entries[index].re
        raw[operation.offset + 2 * index + 1] = entries[index].im
      }
      Self.absorb(b, plan.operations[Int(link.low)], on: min(first, second), &raw)
      Self.absorb(a, plan.operations[Int(link.high)], on: max(first, second), &raw)
    }
  }

  /// A and B, or nil where rounding would show.
  private static func bases(_ m: [Complex], _ low: Int) -> (Unitary, Unitary)? {
    let high = 3 ^ low
    let alpha = isotropic(
      m[0].conjugate * m[low] + m[4 * low].conjugate * m[5 * low],
      m[0].conjugate * m[4 * high + low] + m[4 * low].conjugate * m[12 + low],
      m[4 * high].conjugate * m[low] + m[12].conjugate * m[5 * low])
    func u(_ row: Int, _ column: Int) -> Complex {
      alpha.0 * m[4 * row + column] + alpha.1 * m[4 * (row | high) + column]
    }
    let (u0, u1) = ((u(0, 0), u(low, 0)), (u(0, low), u(low, low)))
    let size0 = u0.0.squaredMagnitude + u0.1.squaredMagnitude
    let size1 = u1.0.squaredMagnitude + u1.1.squaredMagnitude
    guard max(size0, size1) > 1e-2 else { return nil }
    var b: Unitary
    if size0 >= size1 {
      let scale = 1 / size0.squareRoot()
      b.0 = (scale * u0.0.conjugate, scale * u0.1.conjugate)
      b.1 = (scale * -u0.1, scale * u0.0)
      b.1 = turned(b.1, by: b.1.0 * u1.0 + b.1.1 * u1.1)
    } else {
      let scale = 1 / size1.squareRoot()
      b.1 = (scale * u1.0.conjugate, scale * u1.1.conjugate)
      b.0 = (scale * u1.1, scale * -u1.0)
      b.0 = turned(b.0, by: b.0.0 * u0.0 + b.0.1 * u0.1)
    }
    var a: Unitary = (alpha, (-alpha.1.conjugate, alpha.0.conjugate))
    var diagonal = Complex.zero
    for (factor, row) in [(b.0.0, 0), (b.0.1, low)] {
      diagonal =
        diagonal + factor
        * (a.1.0 * m[4 * row + high] + a.1.1 * m[4 * (row | high) + high])
    }
    a.1 = turned(a.1, by: diagonal)
    return (a, b)
  }

  /// A unit vector α with α† K α = 0, where K = ((k, p), (q, -k)).
  private static func isotropic(_ k: Complex, _ p: Complex, _ q: Complex) -> (Complex, Complex) {
    let size = k.squaredMagnitude
    if size < 1e-30 { return (.one, .zero) }
    // α = (cos t, w sin t) where p w + q w* is a real multiple of k.
    let (p, q) = (p * k.conjugate, q * k.conjugate)
    var w = Complex(p.re - q.re, -(p.im + q.im))
    let length = w.squaredMagnitude.squareRoot()
    w = length > 0 ? (1 / length) * w : .one
    let ratio = (p * w + q * w.conjugate).re / size
    // cos 2t + (ratio / 2) sin 2t = 0
    let norm = (ratio * ratio + 4).squareRoot()
    let cosine = ((1 - ratio / norm) / 2).squareRoot()
    let sine = ((1 + ratio / norm) / 2).squareRoot()
    return (Complex(cosine), sine * w)
  }

  /// A row times the phase that makes `number`, which is linear in it, real.
  private static func turned(
    _ row: (Complex, Complex), by number: Complex
  ) -> (Complex, Complex) {
    let size = number.squaredMagnitude.squareRoot()
    if size == 0 { return row }
    let phase = (1 / size) * number.conjugate
    return (phase * row.0, phase * row.1)
  }

  private static func entry(_ raw: [Double], _ offset: Int, _ index: Int) -> Complex {
    Complex(raw[offset + 2 * index], raw[offset + 2 * index + 1])
  }

  /// Applies a matrix to the rows that differ in `bit`.
  private static func multiply(_ matrix: Unitary, _ entries: inout [Complex], bit: Int) {
    for row in 0..<4 where row & bit == 0 {
      for column in 0..<4 {
        let (x, y) = (entries[4 * row + column], entries[4 * (row | bit) + column])
        entries[4 * row + column] = matrix.0.0 * x + matrix.0.1 * y
        entries[4 * (row | bit) + column] = matrix.1.0 * x + matrix.1.1 * y
      }
    }
  }

  /// Applies the inverse of a matrix before an operation.
  private static func absorb(
    _ matrix: Unitary, _ operation: PlanOperation, on target: UInt8, _ raw: inout [Double]
  ) {
    let dimension = 1 << operation.targets.count
    let bit = operation.targets[0] == target ? 1 : 2
    for row in 0..<dimension {
      for column in 0..<dimension where column & bit == 0 {
        let places = (row * dimension + column, row * dimension + (column | bit))
        let x = entry(raw, operation.offset, places.0)
        let y = entry(raw, operation.offset, places.1)
        let sums = (
          x * matrix.0.0.conjugate + y * matrix.0.1.conjugate,
          x * matrix.1.0.conjugate + y * matrix.1.1.conjugate
        )
        raw[operation.offset + 2 * places.0] = sums.0.re
        raw[operation.offset + 2 * places.0 + 1] = sums.0.im
        raw[operation.offset + 2 * places.1] = sums.1.re
        raw[operation.offset + 2 * places.1 + 1] = sums.1.im
      }
    }
  }
}

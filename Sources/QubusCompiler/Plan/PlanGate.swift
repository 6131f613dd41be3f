internal import QubusCircuit
internal import QubusCore

/// One factor of a gate of a draft: what a bound gate (or a constant) does, on which wires.
struct GateTerm {
  enum Action: UInt8, Sendable {
    /// The source's 2 × 2 or 4 × 4 matrix on its targets.
    case matrix1, matrix2
    /// One number, taken from a diagonal source, where the controls hold.
    case factor
    case flip, swap
    /// A phase or the rotation of a product's Euler angles; the source is a product.
    case eulerPhase, eulerRotation
  }

  var action: Action
  /// Which number of a diagonal source; see `DiagonalComponent`.
  var component = DiagonalComponent(0)
  /// Target bits whose |0⟩ and |1⟩ are exchanged around the source.
  var flippedBits: UInt8 = 0
  var target0: UInt8 = 0
  var target1: UInt8 = 0
  /// Index of a bound gate, or `~index` of the draft's constants.
  var source: Int32 = 0
  var controlMask: UInt64 = 0
  var controlValue: UInt64 = 0
  /// The term that is applied after this one, or -1.
  var next: Int32 = -1
}

/// A gate between lowering and emission; all bits are wires.
struct PlanGate {
  enum Kind: UInt8, Sendable {
    /// Multiplies by a number where the controls hold.
    case phase
    case flip, swap
    case real, cross, dense
  }

  var kind: Kind
  var targetCount: UInt8 = 0
  var target0: UInt8 = 0
  var target1: UInt8 = 0
  var controlMask: UInt64 = 0
  var controlValue: UInt64 = 0
  /// True when the matrix on the target is a function of X for all parameters.
  var isExchange = false
  /// Constant part of a phase.
  var scalar = Complex.one
  /// Linked list of terms in order of application; -1 when there is none.
  var firstTerm: Int32 = -1
  var lastTerm: Int32 = -1

  var targetMask: UInt64 {
    switch targetCount {
    case 0: 0
    case 1: 1 << UInt64(target0)
    default: 1 << UInt64(target0) | 1 << UInt64(target1)
    }
  }
  var wires: UInt64 { controlMask | targetMask }
  /// True for a phase whose number does not depend on parameters.
  var isConstantPhase: Bool { kind == .phase && firstTerm < 0 }
  var isDiagonal: Bool { kind == .phase }
  /// Wires on which the gate is diagonal.
  var diagonalWires: UInt64 { isDiagonal ? wires : controlMask }
  /// Wires on which the gate is a function of X.
  var exchangedWires: UInt64 {
    isExchange ? targetMask : 0
  }
}

/// A circuit on its way to a plan: gates on wires, the terms they are made of, and constants.
struct PlanDraft {
  let wireCount: Int
  /// Looked at by every pass, because planning a million gates takes a second.
  var cancellation: CancellationFlag?
  var gates: [PlanGate] = []
  var terms: [GateTerm] = []
  /// Numbers of constant terms: 1, 4 or 16 each.
  var constants: [Complex] = []
  /// One-wire products that were split: the wire and the first of their terms.
  var products: [(wire: UInt8, firstTerm: Int32)] = []
  /// What multiplies the whole state.
  var globalScalar = Complex.one
  var globalFirst: Int32 = -1
  var globalLast: Int32 = -1
  /// The wire that holds each qubit at the end.
  var finalWires: [UInt8]

  init(wireCount: Int, cancellation: CancellationFlag? = nil) {
    self.wireCount = wireCount
    self.cancellation = cancellation
    finalWires = (0..<wireCount).map { UInt8($0) }
  }

  /// - Throws: `execution_canceled` once the flag is set; looks at every 4096th step.
  @inline(__always)
  func poll(_ step: Int) throws(QubusError) {
    if step & 0xFFF == 0 { try check() }
  }

  func check() throws(QubusError) { try cancellation.check() }

  /// Sorts by keys, looking at the flag on its way.
  /// - Throws: `execution_canceled`.
  func sort(_ keys: inout [(key: UInt64, gate: Int32)]) throws(QubusError) {
    var comparisons = 0
    do {
      try keys.sort { a, b in
        comparisons += 1
        if comparisons & 0xFFFF == 0 { try check() }
        return a.key != b.key ? a.key < b.key : a.gate < b.gate
      }
    } catch {
      try check()
    }
  }

  /// Appends a term to a list that begins and ends at the given places.
  mutating func append(_ term: GateTerm, _ first: inout Int32, _ last: inout Int32) {
    let index = Int32(terms.count)
    terms.append(term)
    if last >= 0 { terms[Int(last)].next = index } else { first = index }
    last = index
  }

  mutating func appendGlobal(_ term: GateTerm) {
    var (first, last) = (globalFirst, globalLast)
    append(term, &first, &last)
    (globalFirst, globalLast) = (first, last)
  }

  /// Appends the terms of `gate` to another list; `gate` must not be used afterwards.
  mutating func move(_ gate: PlanGate, to first: inout Int32, _ last: inout Int32) {
    guard gate.firstTerm >= 0 else { return }
    if last >= 0 { terms[Int(last)].next = gate.firstTerm } else { first = gate.firstTerm }
    last = gate.lastTerm
  }

  mutating func constant(_ matrix: ConstantMatrix) -> Int32 {
    let source = ~Int32(constants.count)
    constants.append(matrix.a)
    constants.append(matrix.b)
    constants.append(matrix.c)
    constants.append(matrix.d)
    return source
  }

  /// Stores a constant and gives the source that means it.
  mutating func constant(_ number: Complex) -> Int32 {
    let source = ~Int32(constants.count)
    constants.append(number)
    return source
  }
}

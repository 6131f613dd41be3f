internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore

/// Collects, from a circuit's end on, what one stop of an adjoint sweep can read.
struct StopPlanning {
  private var frame = CommutationFrame()
  private var strings: [PauliTerm] = []
  private var events: [OverlapStop.Event] = []
  private var locals: [GateApplication] = []
  private var angles: [Expression] = []
  /// Gates since the stop, the last one first.
  private(set) var run: [GateApplication] = []
  /// Gates of each qubit since the stop that stand alone on it; nil once another gate came.
  private var alone: [[Place]?]
  /// Places of a qubit's gates that events multiply already.
  private var multiplied: [Int]

  private struct Place {
    var gate: GateApplication
    var isDiagonal: Bool
  }

  init(qubitCount: Int) {
    alone = [[Place]?](repeating: [], count: qubitCount)
    multiplied = [Int](repeating: 0, count: qubitCount)
  }

  var isEmpty: Bool { angles.isEmpty }

  /// Notes a derivative, unless it cannot be read from here.
  mutating func read(_ generator: DifferentiableGate.Generator) -> Bool {
    if generator.terms.allSatisfy(frame.commutes) {
      // Readings of a sum lie together and have their coefficients.
      events.append(.plain(start: strings.count, count: generator.terms.count))
      strings += generator.terms
      angles.append(generator.angle)
      return true
    }
    guard generator.terms.count == 1, let (qubit, letter) = Self.letter(generator.terms[0]),
      let gates = alone[qubit]
    else { return false }
    for place in gates[multiplied[qubit]...] {
      events.append(.gate(qubit: qubit, index: locals.count))
      locals.append(place.gate)
    }
    multiplied[qubit] = gates.count
    let hasZ = letter == .z || !gates.allSatisfy(\.isDiagonal)
    events.append(
      .turned(
        qubit: qubit, letter: letter, start: strings.count,
        coefficient: generator.terms[0].coefficient, hasZ: hasZ))
    let bit = UInt64(1) << UInt64(qubit)
    strings.append(PauliTerm(x: bit, z: 0, coefficient: 1))
    strings.append(PauliTerm(x: bit, z: bit, coefficient: 1))
    if hasZ { strings.append(PauliTerm(x: 0, z: bit, coefficient: 1)) }
    angles.append(generator.angle)
    return true
  }

  private static func letter(_ term: PauliTerm) -> (qubit: Int, letter: PauliLetter)? {
    let mask = term.x | term.z
    guard mask.nonzeroBitCount == 1 else { return nil }
    return (
      mask.trailingZeroBitCount, term.x == 0 ? .z : term.z == 0 ? .x : .y
    )
  }

  /// Puts a gate between the stop and what comes.
  mutating func pass(_ gate: GateApplication) {
    frame.add(gate)
    run.append(gate)
    if gate.gate == .identity { return }
    guard gate.controls.isEmpty, gate.targets.count == 1 else {
      for qubit in gate.targets + gate.controls.map(\.qubit) { alone[qubit] = nil }
      return
    }
    let isDiagonal: Bool
    switch gate.gate {
    case .z, .s, .sdg, .t, .tdg, .phase, .rz: isDiagonal = true
    default: isDiagonal = false
    }
    alone[gate.targets[0]]?.append(Place(gate: gate, isDiagonal: isDiagonal))
  }

  func finished(
    _ inputs: [InputParameter], wanted: [Bool], positions: [UInt8], bitCount: Int
  ) throws(QubusError) -> OverlapStop {
    try OverlapStop(
      strings, locals, events, angles.map { AngleSlope($0, inputs, wanted: wanted) },
      positions: positions, bitCount: bitCount)
  }
}

internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore

/// What is read off at one stop of an adjoint sweep: the derivatives by all angles whose gates can
/// be seen from there. A gate is seen through what commutes with its generator, and through gates
/// of its own qubit: those turn a Pauli letter into a sum of letters, with numbers that a row
/// decides.
struct OverlapStop {
  let overlaps: PreparedOverlaps
  private var locals: TraceBinding
  private let events: [Event]
  let angles: [AngleSlope]
  /// Of each qubit, what its gates since the stop multiply to.
  private var turns: [Turn]

  enum Event {
    /// A gate of one qubit: its place among the bound gates.
    case gate(qubit: Int, index: Int)
    /// A derivative that is a sum of readings from `start` on.
    case plain(start: Int, count: Int)
    /// A derivative by a letter of one qubit, seen through the qubit's gates so far. Three
    /// readings: X, Y and Z, or two without Z.
    case turned(qubit: Int, letter: PauliLetter, start: Int, coefficient: Double, hasZ: Bool)
  }

  /// - Parameter strings: what is read, in the order that the events tell.
  /// - Parameter gates: what events multiply.
  init(
    _ strings: [PauliTerm], _ gates: [GateApplication], _ events: [Event],
    _ angles: [AngleSlope], positions: [UInt8], bitCount: Int
  ) throws(QubusError) {
    overlaps = PreparedOverlaps(strings, positions: positions, bitCount: bitCount)
    locals = try TraceBinding(gates)
    self.events = events
    self.angles = angles
    turns = [Turn](repeating: Turn(), count: positions.count)
  }

  /// Adds the derivatives of one row to the gradient.
  /// - Parameter readings: the numbers of `overlaps`.
  mutating func add(
    _ readings: UnsafePointer<Double>, _ row: InputRow, by wanted: [Bool],
    to gradient: inout [Double]
  ) throws(QubusError) {
    try locals.update(row)
    for qubit in turns.indices { turns[qubit] = Turn() }
    var next = 0
    for place in events.indices {
      var slope = 0.0
      switch events[place] {
      case .gate(let qubit, let index):
        turns[qubit].apply(locals.gates.gates[index], locals.gates.coefficients)
        continue
      case .plain(let start, let count):
        for reading in start..<start + count { slope += readings[reading] }
      case .turned(let qubit, let letter, let start, let coefficient, let hasZ):
        let seen = turns[qubit].seen(letter)
        slope = seen.x * readings[start] + seen.y * readings[start + 1]
        if hasZ { slope += seen.z * readings[start + 2] }
        slope *= coefficient
      }
      try angles[next].add(slope, by: wanted, row.state, to: &gradient)
      next += 1
    }
  }
}

enum PauliLetter: Sendable { case x, y, z }

/// A 2 × 2 unitary W that grows to the right, and letters seen through it.
private struct Turn {
  private var a = Complex.one
  private var b = Complex.zero
  private var c = Complex.zero
  private var d = Complex.one

  /// W becomes W times the gate.
  mutating func apply(_ gate: BoundGate, _ numbers: [Double]) {
    @inline(__always) func number(_ index: Int) -> Complex {
      Complex(numbers[gate.offset + 2 * index], numbers[gate.offset + 2 * index + 1])
    }
    switch gate.kind {
    case .flip:
      (a, b) = (b, a)
      (c, d) = (d, c)
    case .phase:
      (b, d) = (b * number(0), d * number(0))
    case .diagonal:
      (a, c) = (a * number(0), c * number(0))
      (b, d) = (b * number(1), d * number(1))
    case .dense:
      (a, b) = (a * number(0) + b * number(2), a * number(1) + b * number(3))
      (c, d) = (c * number(0) + d * number(2), c * number(1) + d * number(3))
    case .identity, .swap, .diagonal2, .dense2:
      preconditionFailure("a gate of one qubit has no such kind")
    }
  }

  /// W P W† as a sum of letters.
  func seen(_ letter: PauliLetter) -> (x: Double, y: Double, z: Double) {
    // Upper row of W P W†: a real number and a complex one.
    let real: Double
    let other: Complex
    switch letter {
    case .x:
      real = 2 * (a * b.conjugate).re
      other = a * d.conjugate + b * c.conjugate
    case .y:
      real = 2 * (a * b.conjugate).im
      other = Complex.i * (b * c.conjugate - a * d.conjugate)
    case .z:
      real = a.squaredMagnitude - b.squaredMagnitude
      other = a * c.conjugate - b * d.conjugate
    }
    return (other.re, -other.im, real)
  }
}

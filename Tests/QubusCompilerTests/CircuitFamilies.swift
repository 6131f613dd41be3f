import QubusCircuit

/// Circuits of the benchmark's families; angles are inputs or constants from a seed.
enum CircuitFamilies {
  /// Rotations about random axes, then CZ on alternating neighbours.
  static func random(_ qubits: Int, depth: Int, seed: UInt64 = 1) -> [GateApplication] {
    var sampler = CircuitSampler(seed: seed)
    var gates: [GateApplication] = []
    for layer in 0..<depth {
      for qubit in 0..<qubits {
        let gate: Gate = [.rx, .ry, .rz][sampler.int(3)]
        gates.append(GateApplication(gate, [.radians(sampler.unit() * 6)], targets: [qubit]))
      }
      for qubit in stride(from: layer % 2, to: qubits - 1, by: 2) {
        gates.append(cz(qubit, qubit + 1))
      }
    }
    return gates
  }

  static func cz(_ a: Int, _ b: Int) -> GateApplication {
    GateApplication(.z, targets: [b], controls: [Control(a)])
  }

  static func cx(_ a: Int, _ b: Int) -> GateApplication {
    GateApplication(.x, targets: [b], controls: [Control(a)])
  }

  static func qft(_ qubits: Int) -> [GateApplication] {
    var gates: [GateApplication] = []
    for qubit in (0..<qubits).reversed() {
      gates.append(GateApplication(.h, targets: [qubit]))
      for other in (0..<qubit).reversed() {
        let angle = Double.pi / Double(1 << (qubit - other))
        gates.append(
          GateApplication(.phase, [.radians(angle)], targets: [other], controls: [Control(qubit)]))
      }
    }
    for qubit in 0..<qubits / 2 {
      gates.append(GateApplication(.swap, targets: [qubit, qubits - 1 - qubit]))
    }
    return gates
  }

  /// SU(4) blocks on random pairs, each as three CX between one-qubit gates.
  static func volume(_ qubits: Int, seed: UInt64 = 2) -> [GateApplication] {
    var sampler = CircuitSampler(seed: seed)
    var gates: [GateApplication] = []
    func one(_ qubit: Int) {
      gates.append(
        GateApplication(.u, sampler.angles(3).map { .radians($0) }, targets: [qubit]))
    }
    for _ in 0..<qubits {
      var free = Array(0..<qubits)
      for _ in 0..<qubits / 2 {
        let a = free.remove(at: sampler.int(free.count))
        let b = free.remove(at: sampler.int(free.count))
        for _ in 0..<3 {
          one(a)
          one(b)
          gates.append(cx(a, b))
        }
        one(a)
        one(b)
      }
    }
    return gates
  }

  static func ansatz(_ qubits: Int, layers: Int) -> [GateApplication] {
    var gates: [GateApplication] = []
    var input = 0
    for layer in 0...layers {
      for gate in [Gate.ry, .rz] {
        for qubit in 0..<qubits {
          gates.append(GateApplication(gate, [.input(input)], targets: [qubit]))
          input += 1
        }
      }
      if layer < layers { for qubit in 0..<qubits - 1 { gates.append(cx(qubit, qubit + 1)) } }
    }
    return gates
  }

  /// MaxCut on a ring with chords.
  static func qaoa(_ qubits: Int, layers: Int) -> [GateApplication] {
    var gates = (0..<qubits).map { GateApplication(.h, targets: [$0]) }
    for layer in 0..<layers {
      for qubit in 0..<qubits {
        let pairs =
          qubit < qubits / 2 ? [(qubit + 1) % qubits, qubit + qubits / 2] : [(qubit + 1) % qubits]
        for other in pairs {
          gates.append(GateApplication(.rzz, [.input(2 * layer)], targets: [qubit, other]))
        }
      }
      for qubit in 0..<qubits {
        gates.append(GateApplication(.rx, [.input(2 * layer + 1)], targets: [qubit]))
      }
    }
    return gates
  }

  static func ghz(_ qubits: Int) -> [GateApplication] {
    [GateApplication(.h, targets: [0])] + (0..<qubits - 1).map { cx($0, $0 + 1) }
  }

  static func grover(_ qubits: Int, rounds: Int) -> [GateApplication] {
    var gates = (0..<qubits).map { GateApplication(.h, targets: [$0]) }
    let mark = GateApplication(
      .z, targets: [qubits - 1], controls: (0..<qubits - 1).map { Control($0) })
    for _ in 0..<rounds {
      gates.append(mark)
      for gate in [Gate.h, .x] {
        gates += (0..<qubits).map { GateApplication(gate, targets: [$0]) }
      }
      gates.append(mark)
      for gate in [Gate.x, .h] {
        gates += (0..<qubits).map { GateApplication(gate, targets: [$0]) }
      }
    }
    return gates
  }
}

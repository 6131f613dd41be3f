import QubusCircuit
import QubusCompiler
import QubusCore
import QubusEngine

/// A front end for tests: `qubits bits [input:type …]`, for example `2 2 theta:float`.
enum ToyPrograms {
  static func cache(bytes: Int = 1 << 20) -> ProgramCache {
    ProgramCache(bytes: bytes) { (source) throws(QubusError) in try compile(source) }
  }

  static func compile(_ source: [UInt8]) throws(QubusError) -> CompiledProgram {
    let text = String(decoding: source, as: UTF8.self)
    let words = text.split(whereSeparator: \.isWhitespace)
    guard words.count >= 2, let qubits = Int(words[0]), let bits = Int(words[1]) else {
      throw QubusError(
        .programSyntaxError, "expected two numbers",
        location: SourceLocation(line: 1, column: 1, text: text, excerpt: text + "\n^"))
    }
    var circuit = Circuit()
    circuit.qubitCount = qubits
    circuit.bitCount = bits
    if bits > 0 { circuit.bitRegisters = [Register(name: "c", offset: 0, size: bits)] }
    for word in words.dropFirst(2) {
      let parts = word.split(separator: ":")
      if parts[0] == "delay" {
        circuit.notices.append(Notice(message: "delay is ignored"))
      } else {
        let type: ScalarType = parts.last == "int" ? .int(width: 8) : .float(width: 64)
        circuit.inputs.append(InputParameter(name: String(parts[0]), type: type))
      }
    }
    for bit in 0..<min(bits, qubits) {
      circuit.operations.append(.measure(qubit: bit, into: .bit(bit)))
    }
    return ProgramCompiler.compile(circuit, source: source)
  }
}

internal import Crypto
package import QubusCircuit

/// Turns a circuit into the form that devices run.
package enum ProgramCompiler {
  /// - Parameter source: the program's text as sent, for its hash.
  /// - Complexity: linear in the operations as written.
  package static func compile(
    _ circuit: Circuit, source: some Sequence<UInt8>
  ) -> CompiledProgram {
    var encoder = CircuitEncoder()
    encoder.encode(circuit)
    return CompiledProgram(
      circuit: circuit, programHash: hash(source), circuitHash: hash(encoder.bytes))
  }

  private static func hash(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    var hasher = SHA256()
    let done: Void? = bytes.withContiguousStorageIfAvailable {
      hasher.update(bufferPointer: UnsafeRawBufferPointer($0))
    }
    if done == nil { hasher.update(data: Array(bytes)) }
    return Array(hasher.finalize())
  }
}

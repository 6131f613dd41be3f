package import QubusCircuit

/// A program ready for a device: the circuit and what can be said of it before parameters are
/// bound. Shared by every pub and row that runs it.
package final class CompiledProgram: Sendable {
  package let circuit: Circuit
  /// SHA-256 over the source text as sent.
  package let programHash: [UInt8]
  /// SHA-256 over the normalised circuit: white space, comments and names of registers do not
  /// matter.
  package let circuitHash: [UInt8]
  /// The circuit's operations as a flat list with jumps.
  package let code: InstructionList
  package let analysis: ProgramAnalysis

  package init(circuit: Circuit, programHash: [UInt8], circuitHash: [UInt8]) {
    self.circuit = circuit
    self.programHash = programHash
    self.circuitHash = circuitHash
    code = InstructionList(circuit.operations)
    analysis = ProgramAnalysis(circuit)
  }
}

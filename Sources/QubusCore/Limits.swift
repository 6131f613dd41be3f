/// The limits of the service, in one place; HELLO publishes them and errors name them.
package struct Limits: Sendable, Hashable {
  /// Bytes of OpenQASM source in one program.
  package var programBytes = 16 << 20
  /// Nesting depth of expressions and blocks in a program.
  package var programDepth = 256
  /// Operations after expansion of gates, loops and broadcasts.
  package var programOperations = 4_000_000
  package var qubits = 63
  package var classicalBits = 4096
  package var pubsPerJob = 1024
  /// Rows (broadcast parameter points) of one pub.
  package var rowsPerPub = 1 << 20
  /// Parameter vectors of one step of a session.
  package var rowsPerStep = 65_536
  package var shots: Int64 = 1 << 32
  package var tags = 32
  package var nameBytes = 256
  /// Bytes of one protobuf body frame.
  package var messageBytes = 64 << 20
  package var attachmentBytes = 1 << 30
  package var messageDepth = 32
  /// Fields of one message, all depths together. A Hamiltonian of 20,000 terms fits; what bounds
  /// memory is the budget of the decoder's arena (decision 0003).
  package var messageFields = 65_536
  package var callsInFlightPerConnection = 8192
  package var streamsPerConnection = 256
  package var jobsQueued = 1_000_000
  package var batchItems = 1024
  /// Jobs that one job may wait for.
  package var dependencies = 64
  /// Qubits up to which a state vector may be returned.
  package var stateVectorQubits = 24
  /// Classical bits up to which a dense probability vector may be returned.
  package var probabilityBits = 24
  /// Iterations of one `while` loop in one shot.
  package var whileIterations = 1_000_000

  package init() {}
}

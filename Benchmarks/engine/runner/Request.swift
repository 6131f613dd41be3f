/// One line on standard input: what to load or to measure.
///
/// Tasks: `prepare` (circuit, precision, threads, inputs), `state` (repetitions), `dump` (path),
/// `energy` and `gradient` (observable, repetitions), `sample` (shots, seed, repetitions),
/// `release`. The Python workers of the peers take the same lines.
struct Request: Decodable {
  struct Term: Decodable {
    /// The leftmost letter acts on the highest qubit.
    let pauli: String
    let coefficient: Double
  }

  let task: String
  /// Path of an OpenQASM file.
  let qasm: String?
  /// `single` or `double`.
  let precision: String?
  let threads: Int?
  let inputs: [Double]?
  let repetitions: Int?
  let observable: [Term]?
  let shots: Int?
  let seed: UInt64?
  /// Where `dump` writes the state.
  let path: String?
}

/// One line on standard output. Every task answers with what it has.
struct Answer: Encodable {
  var seconds: [Double]?
  var compileSeconds: Double?
  var planSeconds: Double?
  var planBytes: Double?
  var planFlops: Double?
  var settings: String?
  var value: Double?
  var gradient: [Double]?
  var outcomes: Int?
  /// What the engine does not do.
  var unsupported: String?
  var error: String?

  enum CodingKeys: String, CodingKey {
    case seconds, settings, value, gradient, outcomes, unsupported, error
    case compileSeconds = "compile_seconds"
    case planSeconds = "plan_seconds"
    case planBytes = "plan_bytes"
    case planFlops = "plan_flops"
  }
}

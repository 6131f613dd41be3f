internal import Foundation
internal import QubusCircuit
internal import QubusCore

/// Answers requests, one after the other, over at most one loaded circuit.
final class BenchmarkSession {
  private var engine: EngineUnderTest?

  /// - Throws: what the engine throws, or `Refusal` for a request that makes no sense.
  func answer(_ request: Request) throws -> Answer {
    switch request.task {
    case "prepare": return try prepare(request)
    case "release":
      engine = nil
      return Answer()
    case "dump": return try dump(request)
    case "state":
      let engine = try loaded()
      return Answer(
        seconds: try timed(request) { () throws(QubusError) in try engine.evolve() })
    case "energy": return try energy(request)
    case "gradient": return try gradient(request)
    case "sample": return try sample(request)
    default: throw Refusal("task '\(request.task)' is not known")
    }
  }

  private func prepare(_ request: Request) throws -> Answer {
    engine = nil
    guard let precision = EngineUnderTest.Precision(rawValue: request.precision ?? "double") else {
      throw Refusal("precision is 'single' or 'double'")
    }
    let source = try Data(contentsOf: URL(fileURLWithPath: try required(request.qasm, "qasm")))
    let made = try EngineUnderTest.load(
      source: Array(source), inputs: request.inputs ?? [], precision: precision,
      threads: request.threads ?? 1)
    guard let made else { return Answer(unsupported: "precision \(precision.rawValue)") }
    engine = made
    return Answer(
      compileSeconds: made.compileSeconds, planSeconds: made.planSeconds,
      planBytes: made.figures.bytes, planFlops: made.figures.flops,
      settings: made.figures.settings)
  }

  private func dump(_ request: Request) throws -> Answer {
    let engine = try loaded()
    let path = try required(request.path, "path")
    let isWritten = try engine.withState { bytes in
      guard let file = fopen(path, "wb") else { return false }
      let count = fwrite(bytes.baseAddress, 1, bytes.count, file)
      return fclose(file) == 0 && count == bytes.count
    }
    guard isWritten else { throw Refusal("the state cannot be written to \(path)") }
    return Answer()
  }

  private func energy(_ request: Request) throws -> Answer {
    let engine = try loaded()
    let observable = try observable(request, engine)
    var value = 0.0
    let seconds = try timed(request) { () throws(QubusError) in
      value = try engine.energy(observable)
    }
    return Answer(seconds: seconds, value: value)
  }

  private func gradient(_ request: Request) throws -> Answer {
    let engine = try loaded()
    let observable = try observable(request, engine)
    var values = try engine.gradient(observable)
    let seconds = try timed(request) { () throws(QubusError) in
      values = try engine.gradient(observable)
    }
    return Answer(seconds: seconds, gradient: values)
  }

  private func sample(_ request: Request) throws -> Answer {
    let engine = try loaded()
    let shots = try required(request.shots, "shots")
    var answer = Answer(seconds: [])
    for repetition in 0..<UInt64(request.repetitions ?? 1) {
      let result = try engine.sample(shots: shots, seed: (request.seed ?? 1) + repetition)
      answer.seconds?.append(result.seconds)
      answer.outcomes = result.outcomes
    }
    return answer
  }

  private func observable(_ request: Request, _ engine: EngineUnderTest) throws -> PauliSum {
    let terms = try required(request.observable, "observable")
    return try PauliSum(
      terms.map { ($0.pauli, $0.coefficient) }, qubitCount: engine.qubitCount, field: "observable")
  }

  /// Seconds of each repetition.
  private func timed(
    _ request: Request, _ body: () throws(QubusError) -> Void
  ) throws(QubusError) -> [Double] {
    var seconds: [Double] = []
    for _ in 0..<(request.repetitions ?? 1) {
      let start = monotonicSeconds()
      try body()
      seconds.append(monotonicSeconds() - start)
    }
    return seconds
  }

  private func loaded() throws -> EngineUnderTest {
    guard let engine else { throw Refusal("no circuit is prepared") }
    return engine
  }

  private func required<T>(_ value: T?, _ field: String) throws -> T {
    guard let value else { throw Refusal("\(field) is missing") }
    return value
  }
}

/// A request that cannot be answered.
struct Refusal: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

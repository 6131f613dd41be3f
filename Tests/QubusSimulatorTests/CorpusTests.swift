import Foundation
import QubusCircuit
import QubusCompiler
import QubusCore
import QubusDevices
import QubusQASM
import QubusSimulator
import Testing

/// Where the corpus lies; without it these tests are reported as skipped.
private let corpus = ProcessInfo.processInfo.environment["QUBUS_CORPUS"]

@Suite("Corpus: circuits written by others", .enabled(if: corpus != nil))
struct CorpusTests {
  struct Expected: Decodable {
    var kind: String?
    var probabilities: [String: Double]?
  }

  private static let expected: [String: Expected] = {
    guard let corpus,
      let data = FileManager.default.contents(atPath: "\(corpus)/qasmbench-small/expected.json"),
      let table = try? JSONDecoder().decode([String: Expected].self, from: data)
    else { return [:] }
    return table
  }()

  private static var distributions: [String] {
    expected.filter { $0.value.probabilities != nil }.keys.sorted()
  }

  private func parse(_ path: String) throws -> Circuit {
    let url = URL(fileURLWithPath: "\(try #require(corpus))/\(path)")
    return try OpenQASM.compile(Array(try Data(contentsOf: url)))
  }

  @Test("all 39 circuits with a distribution are in the corpus")
  func complete() {
    #expect(Self.distributions.count == 39)
  }

  @Test(
    "100,000 shots agree with the distribution that Aer gives", arguments: distributions)
  func sampled(name: String) throws {
    let circuit = try parse("qasmbench-small/\(name)")
    let shots: UInt64 = 100_000
    let counts = try #require(try Workbench(threads: 2).shots(circuit, shots, seed: 11).counts)
    let probabilities = try #require(Self.expected[name]?.probabilities)
    let sampled = counts.table.mapValues { Double($0) / Double(shots) }
    var distance = 0.0
    for key in Set(sampled.keys).union(probabilities.keys) {
      distance += abs(sampled[key, default: 0] - probabilities[key, default: 0]) / 2
    }
    let bound = 0.01 + 1.2 * (Double(probabilities.count) / Double(shots)).squareRoot()
    #expect(distance <= bound, "\(counts.table)")
  }

  @Test("exact distributions agree to 1e-9", arguments: distributions)
  func exact(name: String) throws {
    let expected = try #require(Self.expected[name])
    guard expected.kind == "exact" else { return }
    let circuit = try parse("qasmbench-small/\(name)")
    let result = try Workbench().exact(circuit, ExactOutputs(probabilities: true))
    let probabilities = try #require(result.probabilities)
    let wanted = try #require(expected.probabilities)
    for (outcome, probability) in probabilities.enumerated() {
      let digits = String(outcome, radix: 2)
      let key = String(repeating: "0", count: circuit.bitCount - digits.count) + digits
      #expect(abs(probability - wanted[key, default: 0]) < 1e-9, "\(key)")
    }
  }

  @Test(
    "examples of the OpenQASM 3 specification give the one right outcome",
    arguments: [
      ("adder", "10000"), ("inverseqft1", "0000"), ("inverseqft2", "0000"),
    ])
  func specification(name: String, outcome: String) throws {
    let circuit = try parse("openqasm3-examples/\(name).qasm")
    let counts = try #require(try Workbench(threads: 2).shots(circuit, 1000).counts)
    #expect(counts.table == [outcome: 1000])
  }

  @Test(
    "examples of the OpenQASM 3 specification run",
    arguments: ["ipe", "qft", "qpt", "rb", "teleport"])
  func runs(name: String) throws {
    let circuit = try parse("openqasm3-examples/\(name).qasm")
    let inputs = circuit.inputs.map { $0.type == .float(width: 64) ? Value.float(0) : .bool(false) }
    let counts = try #require(
      try Workbench(threads: 2).shots(circuit, 200, inputs: inputs).counts)
    #expect(counts.total == 200)
  }
}

import Foundation
import QubusCircuit
import QubusCore
import QubusQASM
import Testing

/// Circuits that no one here wrote, with the distributions Qiskit Aer gives.
@Suite("The corpus", .enabled(if: Corpus.root != nil, "QUBUS_CORPUS is not set"))
struct CorpusTests {
  @Test("QASMBench circuits have the registers and the distribution of Qiskit Aer")
  func qasmbench() throws {
    let expected = try Corpus.expected()
    var valid = 0
    for (file, entry) in expected where entry.error == nil {
      let circuit = try OpenQASM.compile(try Corpus.text("qasmbench-small/\(file)"))
      #expect(circuit.qubitCount == entry.qubits, "\(file)")
      #expect(circuit.bitCount == entry.clbits, "\(file)")
      let found = try DenseReference(circuit: circuit).distribution()
      let reference = try #require(entry.probabilities)
      let keys = Set(found.keys).union(reference.keys)
      let distance = keys.reduce(0.0) { $0 + abs((found[$1] ?? 0) - (reference[$1] ?? 0)) } / 2
      // Sampled references come from 10^6 shots over at most 256 outcomes: 0.01 is over 10 sigma.
      #expect(distance < (entry.kind == "exact" ? 1e-9 : 0.01), "\(file): \(distance)")
      valid += 1
    }
    #expect(valid == 39)
  }

  @Test("the four broken circuits are refused at the line of the undeclared register")
  func broken() throws {
    let expected = try Corpus.expected().filter { $0.value.error != nil }
    #expect(expected.count == 4)
    for (file, entry) in expected {
      let source = try Corpus.text("qasmbench-small/\(file)")
      let error = #expect(throws: QubusError.self) { try OpenQASM.compile(source) }
      #expect(error?.code == .undeclaredIdentifier)
      // Qiskit writes "file:line,column" with columns from 0.
      let message = try #require(entry.error)
      let numbers = message.split { !$0.isNumber }.compactMap { Int($0) }.suffix(2)
      #expect(error?.location?.line == numbers.first, "\(file)")
      #expect(error?.location?.column == numbers.last.map { $0 + 1 }, "\(file)")
      #expect(error?.location?.text == "q")
    }
  }

  @Test(
    "the specification's examples without subroutines, arrays, timing and calibration run",
    arguments: [
      ("adder", ["10000": 1.0]), ("inverseqft1", ["0000": 1]), ("inverseqft2", ["0000": 1]),
      ("rb", nil), ("qft", nil), ("qpt", ["0": 0.5, "1": 0.5]), ("teleport", nil), ("ipe", nil),
    ] as [(String, [String: Double]?)])
  func specification(name: String, expected: [String: Double]?) throws {
    let circuit = try OpenQASM.compile(try Corpus.text("openqasm3-examples/\(name).qasm"))
    let found = try DenseReference(circuit: circuit).distribution()
    #expect(abs(found.values.reduce(0, +) - 1) < 1e-9)
    for (key, probability) in expected ?? [:] {
      #expect(abs((found[key] ?? 0) - probability) < 1e-9, "\(name) \(found)")
    }
  }

  @Test("iterative phase estimation leaves the angle 0 for the eigenvalue 1, half of the time")
  func phaseEstimation() throws {
    let circuit = try OpenQASM.compile(try Corpus.text("openqasm3-examples/ipe.qasm"))
    let angle = try #require(circuit.variables.firstIndex { $0.name == "c" })
    var zero = 0.0
    for branch in try DenseReference(circuit: circuit).run()
    where branch.classical.variables[angle] == .angle(raw: 0, width: 10) {
      zero += branch.weight
    }
    #expect(zero >= 0.5 - 1e-9)
  }

  @Test(
    "the other examples are refused with the name of the missing feature",
    arguments: [
      ("alignment", "stretch"), ("arrays", "arrays"), ("dd", "stretch"),
      ("defcal", "defcalgrammar"), ("gateteleport", "extern"), ("msd", "def"), ("qec", "def"),
      ("rus", "def"), ("scqec", "extern"), ("t1", "duration"), ("varteleport", "def"),
      ("vqe", "extern"),
    ])
  func unsupported(name: String, feature: String) throws {
    let source = try Corpus.text("openqasm3-examples/\(name).qasm")
    let error = #expect(throws: QubusError.self) { try OpenQASM.compile(source) }
    #expect(error?.code == .unsupportedProgramFeature)
    #expect(error?.message.contains(feature) == true)
    #expect(error?.location != nil)
  }

  @Test("cphase, which uses an undeclared register, is refused at its place")
  func undeclared() throws {
    let source = try Corpus.text("openqasm3-examples/cphase.qasm")
    let error = #expect(throws: QubusError.self) { try OpenQASM.compile(source) }
    #expect(error?.code == .undeclaredIdentifier)
    #expect(error?.location?.line == 9)
  }
}

/// The folder of foreign circuits.
enum Corpus {
  static let root = ProcessInfo.processInfo.environment["QUBUS_CORPUS"]

  struct Entry: Decodable {
    var qubits: Int?
    var clbits: Int?
    var kind: String?
    var probabilities: [String: Double]?
    var error: String?
  }

  static func text(_ path: String) throws -> String {
    try String(contentsOfFile: "\(try #require(root))/\(path)", encoding: .utf8)
  }

  static func expected() throws -> [String: Entry] {
    try JSONDecoder().decode(
      [String: Entry].self, from: Data(try text("qasmbench-small/expected.json").utf8))
  }
}

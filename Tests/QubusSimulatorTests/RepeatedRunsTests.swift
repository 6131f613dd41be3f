import Foundation
import QubusCircuit
import QubusCompiler
import QubusCore
import QubusSimulator
import Testing

@Suite("Repeated runs", .serialized)
struct RepeatedRunsTests {
  private static func residentBytes() throws -> Int {
    let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    return (pages ?? 0) * 4096
  }

  @Test("the process does not grow while plans run again and again")
  func memory() async {
    // In a process of its own: other tests' memory must not count.
    await #expect(processExitsWith: .success) {
      let bench = Workbench(threads: 2)
      func run() throws {
        for qubits in [4, 17] {
          let circuit = Circuit.layered(qubits: qubits, depth: 3)
          _ = try bench.shots(circuit, 100)
          var measured = circuit
          measured.operations += [.when(0, [.apply(.x, 1)]), .measure(1)]
          _ = try bench.shots(measured, 2)
        }
      }
      for _ in 0..<5 { try run() }
      let before = try RepeatedRunsTests.residentBytes()
      for _ in 0..<60 { try run() }
      // One state of 17 qubits has 2 MiB; 60 rounds that keep one each would show.
      let growth = try RepeatedRunsTests.residentBytes() - before
      precondition(growth < 24 << 20, "grew by \(growth) bytes")
    }
  }
}

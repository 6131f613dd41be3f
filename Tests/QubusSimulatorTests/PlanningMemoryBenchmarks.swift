import Foundation
import QubusCircuit
import QubusCompiler
import QubusCore
import QubusDevices
import QubusSimulator
import Testing

/// Predicted against actual memory of planning: printed for people, since other tests of the
/// process may take memory at the same time.
@Suite(
  "Measured: memory of planning", .serialized,
  .enabled(if: ProcessInfo.processInfo.environment["QUBUS_MEASURE"] != nil))
struct PlanningMemoryBenchmarks {
  /// The largest resident size since `startPeak`, and the present one, in bytes.
  private func resident(_ field: String) throws -> Double {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix(field + ":") })
    return Double(line.split(separator: " ").compactMap { Double($0) }.first ?? 0) * 1024
  }

  private func startPeak() throws -> Double {
    try "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8)
    return try resident("VmRSS")
  }

  private static func circuit(_ name: String) -> Circuit {
    var circuit = Circuit(qubits: 10, bits: 10)
    var state: UInt64 = 1
    func pick(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    for index in 0..<1_000_000 {
      let qubit = pick(10)
      let other = (qubit + 1 + pick(9)) % 10
      switch name {
      case "rotations":
        circuit.operations.append(
          index % 2 == 0
            ? .gate(GateApplication(.rx, [.radians(Double(index))], targets: [qubit]))
            : .gate(GateApplication(.z, targets: [qubit], controls: [Control(other)])))
      case "one block":
        circuit.operations.append(
          .gate(
            GateApplication(
              .u, [.radians(Double(index)), .radians(1), .radians(2)], targets: [index % 2])))
      case "controlled":
        circuit.operations.append(
          .gate(
            GateApplication(
              .u, [.radians(Double(index)), .radians(1), .radians(2)], targets: [qubit],
              controls: [
                Control(other),
                Control((other + 1) % 10 == qubit ? (other + 2) % 10 : (other + 1) % 10),
              ])))
      default:
        circuit.operations.append(
          .gate(
            GateApplication(
              .rxx, [.radians(Double(index))], targets: [qubit, other])))
      }
    }
    for qubit in 0..<10 { circuit.operations.append(.measure(qubit)) }
    return circuit
  }

  @Test(
    "a million gates", arguments: ["rotations", "one block", "controlled", "pairs"],
    [Precision.double])
  func million(name: String, precision: Precision) throws {
    let device = StateVectorDevice()
    let circuit = Self.circuit(name)
    let program = ProgramCompiler.compile(circuit, source: [UInt8]())
    let estimate = try device.estimate(
      program, precision: precision, outputs: ExactOutputs(), wantsShots: true,
      memoryLimitBytes: 8 << 30)
    let before = try startPeak()
    let execution = try device.open(
      program, inputs: [], precision: precision, seed: 1, team: ComputeTeam(threadCount: 2),
      cancellation: CancellationFlag())
    let bound = try resident("VmRSS")
    _ = try execution.run(.shots(first: 0, count: 1000, memory: false))
    let peak = try resident("VmHWM")
    print(
      "memory, a million gates, \(name): bound \(MemorySize.text(bound - before)), at most "
        + "\(MemorySize.text(peak - before)), estimated "
        + "\(MemorySize.text(Double(estimate.memoryBytes)))")
  }
}

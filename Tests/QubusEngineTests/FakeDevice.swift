import Foundation
import QubusCircuit
import QubusCompiler
import QubusCore
import QubusDevices
import QubusSimulator

@testable import QubusEngine

/// A device whose chunks wait for permits, so that a test decides how far a job comes.
final class FakeDevice: Device {
  struct State: Sendable {
    /// Chunks that may still run; nil is no limit.
    var permits: Int?
    var started = 0
    var finished = 0
    /// Chunks running at the same time, now and at most.
    var active = 0
    var mostActive = 0
    var failure: QubusError?
    var opened: [[Value]] = []
    /// Called with the request of every chunk that is done, before it is handed over.
    var whenDone: Hook?
    /// Device time of a chunk.
    var deviceMicroseconds: Microseconds = 7
    /// Distinct outcomes of a chunk of shots; 1 takes the outcome from the seed.
    var outcomes = 1
  }
  struct Hook: Sendable {
    var call: @Sendable (ChunkRequest) -> Void
  }
  let name: String
  let summary = "a device for tests"
  let target = Target(qubitCount: 30)
  let instructionSet: String
  let state: Monitor<State>
  let estimate: ResourceEstimate
  let memoryPerQubit: UInt64
  let steps = Monitor(FakeSteps())
  let time = FakeTime()

  init(
    name: String = "sim.fake", permits: Int? = nil, seconds: Double = 0.001,
    shotsPerChunk: UInt64 = 1000, instructionSet: String = "none", memoryPerQubit: UInt64 = 16
  ) {
    self.name = name
    self.instructionSet = instructionSet
    self.memoryPerQubit = memoryPerQubit
    state = Monitor(State(permits: permits))
    estimate = ResourceEstimate(
      memoryBytes: 0, rowSeconds: seconds, shotSeconds: 0, isPerShot: false,
      shotsPerChunk: shotsPerChunk)
  }

  func permit(_ chunks: Int?) {
    state.signal { state in
      if let chunks { state.permits = (state.permits ?? 0) + chunks } else { state.permits = nil }
    }
  }

  /// Resumes when so many chunks have begun.
  func started(_ count: Int) async { await reached { $0.started >= count } }
  func finished(_ count: Int) async { await reached { $0.finished >= count } }

  private func reached(_ holds: @escaping @Sendable (State) -> Bool) async {
    let state = self.state
    await onThread { state.wait { holds($0) ? () : nil } }
  }

  func estimate(
    _ program: CompiledProgram, precision: Precision, outputs: ExactOutputs, wantsShots: Bool,
    memoryLimitBytes: UInt64
  ) throws(QubusError) -> ResourceEstimate {
    var estimate = self.estimate
    estimate.memoryBytes = memoryPerQubit << UInt64(program.circuit.qubitCount)
    guard estimate.memoryBytes <= memoryLimitBytes else {
      throw QubusError(
        .insufficientMemory, "needs \(estimate.memoryBytes) bytes (limit: \(memoryLimitBytes))")
    }
    return estimate
  }

  func describe(
    _ program: CompiledProgram, inputs: [Value], precision: Precision, outputs: ExactOutputs
  ) throws(QubusError) -> ExecutionPlan? { nil }

  let compileOptions = ["front_end": "fake"]
  let ownRowQubits = 0

  func session(
    _ program: CompiledProgram, precision: Precision, seed: UInt64, team: ComputeTeam,
    cancellation: CancellationFlag, progress: EvolutionProgress?
  ) -> any DeviceSession {
    FakeSession(self, program, seed, cancellation)
  }
}

final class FakeSession: DeviceSession {
  private let device: FakeDevice
  private let program: CompiledProgram
  private let seed: UInt64
  private let flag: CancellationFlag

  init(
    _ device: FakeDevice, _ program: CompiledProgram, _ seed: UInt64, _ flag: CancellationFlag
  ) {
    self.device = device
    self.program = program
    self.seed = seed
    self.flag = flag
  }

  func open(inputs: [Value]) throws(QubusError) -> any DeviceExecution {
    device.state.signal { $0.opened.append(inputs) }
    return FakeExecution(device, program, seed, inputs, flag)
  }
}

/// Every shot of a row has the same outcome, drawn from seed, pub and row.
final class FakeExecution: DeviceExecution {
  private let device: FakeDevice
  private let program: CompiledProgram
  private let seed: UInt64
  private let inputs: [Value]
  private let flag: CancellationFlag

  init(
    _ device: FakeDevice, _ program: CompiledProgram, _ seed: UInt64, _ inputs: [Value],
    _ flag: CancellationFlag
  ) {
    self.device = device
    self.program = program
    self.seed = seed
    self.inputs = inputs
    self.flag = flag
  }

  func run(_ request: ChunkRequest) throws(QubusError) -> ChunkResult {
    device.state.signal { state in
      state.started += 1
      state.active += 1
      state.mostActive = max(state.mostActive, state.active)
    }
    defer { device.state.signal { $0.active -= 1 } }
    try waitForPermit()
    if let failure = device.state.withLock({ $0.failure }) { throw failure }
    var result = ChunkResult(
      request: request, deviceMicroseconds: device.state.withLock { $0.deviceMicroseconds })
    switch request.work {
    case .shots(_, let count, let memory):
      let uniform = Philox(seed: seed).uniform(
        draw: 0, shot: 0, purpose: .estimation, pub: request.pub, row: request.row)
      let outcome = UInt64(uniform * Double(1 << min(8, program.circuit.bitCount)))
      var counts = Counts(bitCount: program.circuit.bitCount)
      counts.keys = [outcome]
      counts.values = [count]
      let outcomes = device.state.withLock { $0.outcomes }
      if outcomes > 1 {
        counts.keys = (0..<UInt64(outcomes)).map { $0 }
        counts.values = counts.keys.map { $0 == 0 ? count - UInt64(outcomes) + 1 : 1 }
      }
      result.counts = counts
      if memory {
        result.memory = Array(repeating: UInt8(truncatingIfNeeded: outcome), count: Int(count))
      }
    case .exact(let outputs):
      if outputs.probabilities { result.probabilities = [1, 0, 0, 0] }
      if outputs.stateVector { result.stateVector = [1, 0, 0, 0, 0, 0, 0, 0] }
      result.expectationValues = outputs.observables.map { sum in
        let value = inputs.first.map { if case .float(let x) = $0 { x } else { 0 } } ?? 0
        return value + 100 * (sum.terms.first?.coefficient ?? 0)
      }
      result.normDrift = 1e-16
    }
    device.state.signal { $0.finished += 1 }
    device.state.withLock { $0.whenDone }?.call(request)
    return result
  }

  private func waitForPermit() throws(QubusError) {
    while true {
      let mayRun = device.state.wait(microseconds: 500) { state -> Bool? in
        if let permits = state.permits {
          guard permits > 0 else { return nil }
          state.permits = permits - 1
        }
        return true
      }
      if flag.isCanceled { throw QubusError(.executionCanceled, "stopped by its flag") }
      if mayRun == true { return }
    }
  }
}

/// Runs something that blocks on a thread of its own.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
  await withCheckedContinuation { continuation in
    Thread.detachNewThread { continuation.resume(returning: body()) }
  }
}

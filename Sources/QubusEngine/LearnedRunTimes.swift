internal import QubusCompiler
internal import QubusCore
internal import QubusJobs
internal import QubusScheduler

/// What programs are known by: circuits, shots, numbers and their precision, whatever the values of
/// the numbers and the seed. Good within one life of the service.
struct ProgramMark: Sendable, Hashable {
  let text: String

  init(_ job: PreparedJob) {
    self.init(
      job.pubs.map(\.program.circuitHash), job.pubs.map(\.shots),
      job.pubs.map { $0.parameters.reduce(0) { $0 + $1.values.count } }.reduce(0, +),
      isSingle: job.precision == .single)
  }

  init(_ provenance: Provenance) {
    self.init(
      provenance.circuitHashes, provenance.shots,
      provenance.parameters.reduce(0) { $0 + $1.values.count },
      isSingle: provenance.numericPrecision == "single")
  }

  private init(_ circuits: [[UInt8]], _ shots: [UInt64], _ numbers: Int, isSingle: Bool) {
    var hasher = Hasher()
    hasher.combine(circuits)
    hasher.combine(shots)
    hasher.combine(numbers)
    hasher.combine(isSingle)
    text = String(hasher.finalize(), radix: 16)
  }
}

/// Run times of ended jobs, and what is expected of further ones by them. To note one costs next to
/// nothing: what was noted is taken in when somebody asks next.
final class LearnedRunTimes: Sendable {
  struct Run: Sendable {
    var device: String
    var principal: Principal
    var program: ProgramMark
    var time: Microseconds
    /// By the device's own model of what it costs; nil: not known any more.
    var predicted: Microseconds?
  }
  private struct State: Sendable {
    var model = RunTimeModel()
    var noted: [Run] = []

    mutating func settle() {
      for run in noted {
        model.observe(
          run.time, predicted: run.predicted, device: run.device,
          principal: AccountPath(run.principal), program: run.program.text)
      }
      noted.removeAll(keepingCapacity: true)
    }
  }
  /// Runs noted between two questions; of more the first ones count.
  private static let limit = 256
  private let state = Lock(State())

  func note(_ run: @autoclosure () -> Run) {
    state.withLock { state in
      if state.noted.count < Self.limit { state.noted.append(run()) }
    }
  }

  /// Takes in what was noted.
  func settle() { state.withLock { $0.settle() } }

  /// Nil when nothing of the kind has run here.
  func estimate(
    _ program: ProgramMark, device: String, principal: Principal, predicted: Microseconds
  ) -> RunTimeEstimate? {
    state.withLock { state in
      state.settle()
      return state.model.estimate(
        device: device, principal: AccountPath(principal), program: program.text,
        predicted: predicted)
    }
  }
}

extension AccountPath {
  fileprivate init(_ principal: Principal) {
    self.init(tenant: principal.tenant, project: principal.project, principal: principal.name)
  }
}

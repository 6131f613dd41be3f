internal import QubusCircuit
internal import QubusCompiler
package import QubusCore
internal import QubusJobs
internal import QubusSimulator
internal import QubusTenancy
internal import Synchronization

extension SessionEngine {
  /// How long sessions that are over are listed.
  private static let pastMicroseconds: Microseconds = 86_400_000_000

  package func session(
    _ id: Identifier, context: CallContext
  ) throws(QubusError) -> SessionView { try session(id, .readSessions, context) }

  /// The session, open or not, if the caller may do this with it.
  func session(
    _ id: Identifier, _ action: Action, _ context: CallContext
  ) throws(QubusError) -> SessionView {
    if let session = try known(id, action, context) { return view(session) }
    guard let record = try store.session(id) else { throw .sessionNotFound(id) }
    try context.check(action, session: id, of: record.principal, now: clock.now())
    return view(record)
  }

  package func sessions(
    includeEnded: Bool, before: Identifier?, limit: Int, context: CallContext
  ) throws(QubusError) -> [SessionView] {
    let records = try store.sessions(
      of: try context.listed(.readSessions, nil, now: clock.now()),
      endedAfter: includeEnded ? clock.now() - Self.pastMicroseconds : nil,
      before: before, limit: limit)
    return records.map { record in
      let known = table.withLock { $0.sessions[record.id] }
      // The store's record of an open session lags behind.
      return record.state == .open ? known.map(view) ?? view(record) : view(record)
    }
  }

  func view(_ session: Session) -> SessionView {
    var record = session.record
    let closedAt = session.closedAt.load(ordering: .relaxed)
    if closedAt > 0 { record.closedAt = closedAt }
    guard let plan = session.plan else { return view(record) }
    var view = SessionView(record: record)
    view.outputs = SessionOutputs(rawValue: plan.outputs.rawValue)
    view.shots = plan.shots > 0 ? Int64(clamping: plan.shots) : nil
    view.targetError = plan.spec.targetError
    view.sharesRandomNumbers = plan.sharesRandomNumbers
    view.precision = plan.spec.precision
    view.parameters = plan.program.circuit.inputs.map(\.name)
    view.observableCount = plan.observables.count
    view.qubitCount = plan.qubitCount
    view.bitCount = plan.program.circuit.bitCount
    view.memoryBytes = session.memoryBytes.load(ordering: .relaxed)
    view.predictedStepSeconds = Double(session.costHint.load(ordering: .relaxed)) / 1e9
    view.rebuilds = session.rebuilds.load(ordering: .relaxed)
    view.notices = plan.notices
    return view
  }

  /// Of a session that is over or waits to be resumed: what its request tells without compiling it.
  func view(_ record: SessionRecord) -> SessionView {
    var view = SessionView(record: record)
    guard let spec = try? codec.decodeSession(record.request) else { return view }
    view.outputs = spec.outputsOrStandard
    view.shots = spec.shots
    view.targetError = spec.targetError
    view.sharesRandomNumbers = spec.sharesRandomNumbers
    view.precision = spec.precision
    view.observableCount = spec.observables.count
    guard let program = preparation.programs.cached(spec.program) else { return view }
    view.parameters = program.circuit.inputs.map(\.name)
    view.qubitCount = program.circuit.qubitCount
    view.bitCount = program.circuit.bitCount
    return view
  }
}

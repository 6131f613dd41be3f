package import QubusCore
package import QubusJobs
package import QubusTenancy

/// Sessions of an engine that was given a store for them; without one every call is refused.
extension Engine: SessionService {
  private var withoutSessions: QubusError {
    QubusError(.notImplemented, "this service holds no sessions")
  }

  package func openSession(
    _ spec: SessionSpec, request: [UInt8], holder: UInt64, context: CallContext,
    completion: @escaping @Sendable (Result<OpenedSession, QubusError>) -> Void
  ) {
    guard let sessions else { return completion(.failure(withoutSessions)) }
    sessions.openSession(
      spec, request: request, holder: holder, context: context, completion: completion)
  }

  package func resumeSession(
    _ id: Identifier, secret: [UInt8], lastSequence: UInt64, holder: UInt64,
    context: CallContext,
    completion: @escaping @Sendable (Result<ResumedSession, QubusError>) -> Void
  ) {
    guard let sessions else { return completion(.failure(withoutSessions)) }
    sessions.resumeSession(
      id, secret: secret, lastSequence: lastSequence, holder: holder, context: context,
      completion: completion)
  }

  package func closeSession(
    _ id: Identifier, context: CallContext,
    completion: @escaping @Sendable (Result<SessionView, QubusError>) -> Void
  ) {
    guard let sessions else { return completion(.failure(withoutSessions)) }
    sessions.closeSession(id, context: context, completion: completion)
  }

  package func session(_ id: Identifier, context: CallContext) throws(QubusError) -> SessionView {
    guard let sessions else { throw withoutSessions }
    return try sessions.session(id, context: context)
  }

  package func sessions(
    includeEnded: Bool, before: Identifier?, limit: Int, context: CallContext
  ) throws(QubusError) -> [SessionView] {
    guard let sessions else { throw withoutSessions }
    return try sessions.sessions(
      includeEnded: includeEnded, before: before, limit: limit, context: context)
  }

  package func step(
    _ call: StepCall, parameters: UnsafeRawBufferPointer, identity: Identity, holder: UInt64,
    sink: any StepSink
  ) -> StepDisposition {
    guard let sessions else { return .refused(withoutSessions) }
    return sessions.step(
      call, parameters: parameters, identity: identity, holder: holder, sink: sink)
  }

  package func runDueSteps(sink: any StepSink) -> Bool {
    sessions?.runDueSteps(sink: sink) ?? false
  }

  package func abandonStep(_ session: Identifier, _ tag: StepTag) {
    sessions?.abandonStep(session, tag)
  }

  package func optimize(
    _ spec: OptimizeSpec, holder: UInt64, context: CallContext,
    watcher: any OptimizationWatcher
  ) {
    guard let sessions else { return watcher.ended(.failure(withoutSessions)) }
    sessions.optimize(spec, holder: holder, context: context, watcher: watcher)
  }

  package func watchOptimization(
    _ id: Identifier, session: Identifier, after: UInt64, context: CallContext,
    watcher: any OptimizationWatcher
  ) {
    guard let sessions else { return watcher.ended(.failure(withoutSessions)) }
    sessions.watchOptimization(
      id, session: session, after: after, context: context, watcher: watcher)
  }

  package func endWatch(_ watcher: any OptimizationWatcher) { sessions?.endWatch(watcher) }

  package func cancelOptimization(
    _ id: Identifier, session: Identifier, context: CallContext
  ) throws(QubusError) -> Bool {
    guard let sessions else { throw withoutSessions }
    return try sessions.cancelOptimization(id, session: session, context: context)
  }
}

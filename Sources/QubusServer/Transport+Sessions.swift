internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusWire

extension Transport {
  /// Calls about sessions but Step and Optimize.
  func dispatchSession(_ call: Call, _ body: [UInt8]) throws(QubusError) {
    let holder = UInt64(call.key.connection)
    switch call.method {
    case .openSession:
      let request = try decoder.openSession(body)
      sessions.openSession(
        request.spec, request: request.request, holder: holder, context: call.context
      ) { [outbox, key = call.key] result in
        outbox.push(.sessionOpened(key, result))
      }
    case .resumeSession:
      let request = try decoder.resumeSession(body)
      sessions.resumeSession(
        request.session, secret: request.secret, lastSequence: request.lastSequence,
        holder: holder, context: call.context
      ) { [outbox, key = call.key] result in
        outbox.push(.sessionResumed(key, result))
      }
    case .closeSession:
      let id = try decoder.closeSession(body)
      connections[call.key.connection]?.sessions[id] = nil
      sessions.closeSession(id, context: call.context) {
        [outbox, key = call.key] result in
        outbox.push(.answered(key, Answer(result) { Responses.closed($0) }))
      }
    case .getSession:
      let id = try decoder.getSession(body)
      try readSession(call) { (sessions, context) throws(QubusError) in
        let view = try sessions.session(id, context: context)
        return Answer { Responses.session(view) }
      }
    case .listSessions: try listSessions(call, try decoder.listSessions(body))
    case .cancelOptimize:
      let request = try decoder.cancelOptimize(body)
      try readSession(call) { (sessions, context) throws(QubusError) in
        let wasRunning = try sessions.cancelOptimization(
          request.optimization, session: request.session, context: context)
        return Answer { Responses.canceledOptimize(wasRunning: wasRunning) }
      }
    default: throw QubusError(.internalError, "\(call.method.rawValue) is not about sessions")
    }
  }

  /// The call was canceled or out of time, which does not stop a compilation: the session that may
  /// come of it is closed, as its client knows neither its id nor its secret. (After a lost
  /// connection it stays: the client opens it again under the same key.)
  func abandon(_ call: Call) {
    guard call.method == .openSession else { return }
    abandonedOpens[call.key] = call.context
  }

  /// Notes that the call's connection holds a session: it ends with the connection's credentials.
  private func hold(_ session: Identifier, _ call: Call) {
    connections[call.key.connection]?.sessions[session] = call.context.identity
  }

  func sessionResumed(_ call: Call, _ result: Result<ResumedSession, QubusError>) {
    if case .success(let resumed) = result { hold(resumed.session.record.id, call) }
    finish(call, Answer(result) { Responses.resumed($0) })
  }

  func sessionOpened(_ key: CallKey, _ result: Result<OpenedSession, QubusError>) {
    if let call = call(key) {
      if case .success(let opened) = result { hold(opened.session.record.id, call) }
      return finish(call, Answer(result) { Responses.opened($0) })
    }
    guard let context = abandonedOpens.removeValue(forKey: key),
      case .success(let opened) = result
    else { return }
    sessions.closeSession(opened.session.record.id, context: context) { _ in }
  }

  private func listSessions(
    _ call: Call, _ request: ListSessionsRequest
  ) throws(QubusError) {
    try readSession(call) { (sessions, context) throws(QubusError) in
      // One more than asked for tells whether there is a next page.
      let views = try sessions.sessions(
        includeEnded: request.includesEnded, before: request.before, limit: request.limit + 1,
        context: context)
      return Answer { Responses.sessions(views, limit: request.limit) }
    }
  }

  /// On a thread that may block.
  private func readSession(
    _ call: Call,
    _ body: @escaping @Sendable (any SessionService, CallContext) throws(QubusError) -> Answer
  ) throws(QubusError) {
    try read(call) { [sessions, key = call.key] _, context in
      do throws(QubusError) {
        return .answered(key, try body(sessions, context))
      } catch {
        return .answered(key, Answer(error))
      }
    }
  }
}

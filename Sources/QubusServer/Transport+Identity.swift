internal import Logging
internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusTenancy
internal import QubusWire

extension Transport {
  // MARK: At the door

  /// Answers what ZeroMQ asks about connections; some at a time, so that a crowd at the door does
  /// not keep those inside waiting.
  func answerDoor() {
    for _ in 0..<Self.handshakesPerRound {
      switch socket.admitOne(judge) {
      case .nobody: return
      case .answered: continue
      case .lost: return doorLost()
      }
    }
  }

  private static let handshakesPerRound = 32

  /// Nobody could be told from anybody any more: the listening ends. Those inside were admitted.
  func doorLost() {
    logger.critical(
      "the admission socket is lost: the daemon listens no more; restart it",
      metadata: ["endpoints": "\(listeners.bound.map(\.reachable).joined(separator: " "))"])
    socket.closeAdmission()
    listeners.unbind()
    for connection in Array(connections.values) { forget(connection) }
  }

  /// Whether ZeroMQ may take a new connection: existing ones go on in any case.
  private func judge(_ credential: Credential) -> RouterSocket.Verdict {
    if isStopping { return .refused }
    if case .key = credential, admission.identity(of: credential) == nil {
      refused(
        Refusal(
          credential: credential, principal: nil, method: "handshake", action: "connect",
          code: .unauthenticated))
      return .refused
    }
    hasAdmitted = true
    return verdictByDescriptors()
  }

  // MARK: Who calls

  /// The connection that sent the message whose head was received; nil: it is to be dropped.
  func connection(_ now: Microseconds) -> Connection? {
    let id = socket.headFrame(0)
    // ZeroMQ's own routing ids are 0 and a number; those that clients choose begin otherwise.
    guard id.count == 5, id[0] == 0 else {
      logMalformed("a client chose its routing id; its messages are dropped", now)
      return nil
    }
    guard let userID = socket.userID else {
      logMalformed("a message of a peer that was never admitted is dropped", now)
      return nil
    }
    let key = UInt32(bigEndian: id.loadUnaligned(fromByteOffset: 1, as: UInt32.self))
    if let known = connections[key] {
      if known.isMarked(userID) { return known }
      // Another peer has taken the routing id.
      forget(known)
    }
    guard let credential = socket.mark.credential(userID) else {
      logMalformed("a message without our mark of admission is dropped", now)
      return nil
    }
    var isCurve = false
    if case .key = credential { isCurve = true }
    let descriptor = socket.descriptor
    let connection = Connection(
      key: key, routingID: [UInt8](id), credential: credential, mark: userID,
      descriptor: descriptor,
      inbound: descriptor.flatMap { unfinished.account($0, isCurve: isCurve) }, now: now)
    if connections.count >= configuration.connections { forgetSilent() }
    guard connections.count < configuration.connections else {
      refuse(
        QubusError(
          .tooManyConnections, "the server holds \(connections.count) connections",
          retryAfterMilliseconds: 1000),
        callID: 0, connection, now: now)
      return nil
    }
    connections[key] = connection
    return connection
  }

  /// Forgets the connections without calls that were silent longest: their clients lose nothing.
  private func forgetSilent() {
    let idle = connections.values.filter { $0.calls.isEmpty }.sorted { $0.lastHeard < $1.lastHeard }
    for connection in idle.prefix(max(1, configuration.connections / 8)) {
      connections[connection.key] = nil
    }
  }

  /// Whether the connection is still somebody's. Asks again only after the directory has changed.
  func isKnown(_ connection: Connection) -> Bool {
    let version = admission.version
    if connection.version != version {
      connection.version = version
      connection.bearer = nil
      connection.identity = admission.identity(of: connection.credential)
      if let identity = connection.identity { connection.lastIdentity = identity }
    }
    return connection.identity != nil
  }

  /// Answers a message of nobody.
  func turnAway(_ connection: Connection, _ envelope: Envelope, now: Microseconds) {
    let method = Self.methods[envelope.method]
    refused(
      Refusal(
        credential: connection.credential, principal: connection.lastIdentity?.principal,
        method: method?.rawValue ?? "", action: method?.permission.rawValue ?? "",
        code: .unauthenticated))
    evict(connection)
    refuse(
      Self.unauthenticated, callID: envelope.callID, connection, now: now, envelope: envelope)
  }

  static let unauthenticated = QubusError(
    .unauthenticated, "these credentials are not, or no longer, accepted here")

  /// Ends what a connection that is nobody's any more has under way, its sessions too.
  private func evict(_ connection: Connection) {
    for (session, identity) in connection.sessions {
      let context = CallContext(
        identity: identity, clientVersion: connection.clientVersion, traceID: traceID(of: ""))
      sessions.closeSession(session, context: context) { _ in }
    }
    connection.sessions = [:]
    for call in Array(connection.calls.values) {
      abandon(call)
      finish(call, Answer(Self.unauthenticated))
    }
    connections[connection.key] = nil
  }

  /// Draws the consequences of a change in the directory for those who say nothing.
  func reviewConnections() {
    let version = admission.version
    guard version != reviewedVersion else { return }
    reviewedVersion = version
    for connection in Array(connections.values) {
      guard isKnown(connection) else {
        logger.notice(
          "the credentials of a connection were revoked",
          metadata: ["principal": "\(connection.name)"])
        evict(connection)
        continue
      }
      reviewCalls(connection)
    }
  }

  /// Ends calls in flight whose token has run out, or that their caller may make nowhere any more.
  private func reviewCalls(_ connection: Connection) {
    for call in Array(connection.calls.values) {
      do throws(QubusError) {
        guard let own = connection.identity else { throw Self.unauthenticated }
        let identity = call.token.isEmpty ? own : try caller(connection, token: call.token)
        try authorize(identity, call.method)
      } catch {
        abandon(call)
        finish(call, Answer(error))
      }
    }
  }

  // MARK: What a caller may do

  /// Whose rights a call uses: the connection's own or, cut down, those of the token it carries.
  /// Allocates nothing while the same token is presented again.
  func caller(
    _ connection: Connection, token: UnsafeRawBufferPointer
  ) throws(QubusError) -> Identity {
    if token.isEmpty, let identity = connection.identity { return identity }
    if let bearer = connection.bearer, bearer.matches(token) { return bearer.identity }
    return try caller(connection, token: [UInt8](token))
  }

  private func caller(
    _ connection: Connection, token: [UInt8]
  ) throws(QubusError) -> Identity {
    guard let identity = connection.identity else { throw Self.unauthenticated }
    if let bearer = connection.bearer, bearer.token == token { return bearer.identity }
    let now = clock.monotonic()
    try badTokens.check(connection.credential, now)
    do throws(QubusError) {
      let bearer = try admission.identity(presenting: token, over: identity)
      connection.bearer = Bearer(token: token, identity: bearer)
      return bearer
    } catch {
      badTokens.add(connection.credential, now)
      throw error
    }
  }

  /// Whether the caller may use the method anywhere at all; on what, is asked where it is known.
  func authorize(_ identity: Identity, _ method: Method) throws(QubusError) {
    // Only a token runs out between two changes of the directory.
    let now = identity.token == nil ? 0 : clock.now()
    try identity.checkAnywhere(method.permission, now: now)
  }

  // MARK: Evidence

  /// Notes that a call was turned away for who its caller is.
  func noteRefusal(_ error: QubusError, _ method: Method, _ connection: Connection) {
    switch error.code {
    case .unauthenticated, .permissionDenied, .tokenInvalid, .tokenExpired: break
    default: return
    }
    let bearer = connection.bearer?.identity
    refused(
      Refusal(
        credential: connection.credential,
        principal: (bearer ?? connection.identity ?? connection.lastIdentity)?.principal,
        tokenID: bearer?.token?.id ?? "", method: method.rawValue,
        action: method.permission.rawValue, code: error.code))
  }

  /// The same of a call that got past the door: what it was about is not its caller's to use.
  func noteRefusal(_ error: QubusError, _ call: Call) {
    switch error.code {
    case .permissionDenied, .tokenInvalid, .tokenExpired: break
    // Somebody changed an archive, or takes it for another job's.
    case .archiveDamaged, .archiveConflict: break
    default: return
    }
    let identity = call.context.identity
    refused(
      Refusal(
        credential: identity.credential, principal: identity.principal,
        tokenID: identity.token?.id ?? "", method: call.method.rawValue,
        action: error.details["action"] ?? call.method.permission.rawValue, code: error.code))
  }

  private func refused(_ refusal: Refusal) {
    guard refusals.add(refusal, clock.monotonic()) else { return }
    tell(refusal, count: 1)
  }

  /// Tells of the refusals that were only counted.
  func tellRefusals(_ now: Microseconds) {
    for (refusal, count) in refusals.take(now) { tell(refusal, count: count) }
  }

  private func tell(_ refusal: Refusal, count: Int) {
    logger.notice(
      "refused",
      metadata: [
        "method": "\(refusal.method)", "error": "\(refusal.code.name)", "count": "\(count)",
        "principal": "\(refusal.principal?.name ?? refusal.credential?.text ?? "")",
      ])
    admission.refused(refusal, count: count)
  }
}

internal import Logging
internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusTenancy
internal import QubusWire

extension Transport {
  /// Takes the message whose head was received. Whatever is in it, the thread goes on.
  func received() {
    let now = clock.monotonic()
    guard let connection = connection(now) else {
      socket.skipRest()
      return
    }
    connection.lastHeard = now
    defer { connection.inbound?.take(socket.wireFrames) }
    if connection.isBroken {
      resynchronize(connection)
      // It still does not read: work whose answer cannot be sent is not begun.
      if connection.isBroken {
        socket.skipRest()
        return
      }
    }
    let isKnown = isKnown(connection)
    if isKnown, takeStep(connection, now: now) { return }
    socket.complete(maximumFrames: configuration.framesPerMessage, into: &message)
    let envelope: Envelope
    do throws(QubusError) {
      envelope = try checkedEnvelope(message)
    } catch {
      refuse(isKnown ? error : Self.unauthenticated, callID: 0, connection, now: now)
      return
    }
    guard isKnown else { return turnAway(connection, envelope, now: now) }
    do throws(QubusError) {
      try handle(envelope, message.frames, connection, now: now)
    } catch {
      refuse(error, callID: envelope.callID, connection, now: now, envelope: envelope)
    }
  }

  private func checkedEnvelope(_ message: ReceivedMessage) throws(QubusError) -> Envelope {
    guard let first = message.frames.first else {
      throw QubusError(.malformedFrame, "the message has no envelope frame")
    }
    let envelope = try first.withUnsafeBytes { raw in
      Result { () throws(QubusError) in try Envelope(decoding: raw) }
    }.get()
    guard !message.isTruncated else {
      throw QubusError(
        .malformedFrame,
        "the message has too many frames (limit: \(configuration.framesPerMessage))")
    }
    return envelope
  }

  private func handle(
    _ envelope: Envelope, _ frames: [[UInt8]], _ connection: Connection, now: Microseconds
  ) throws(QubusError) {
    guard envelope.protocolVersion == Versions.protocol else {
      throw .field(
        .unsupportedProtocolVersion, "protocol_version",
        "version \(envelope.protocolVersion) is not spoken here", limit: "\(Versions.protocol)")
    }
    switch envelope.kind {
    case .call: try startCall(envelope, frames, connection, now: now)
    case .cancel: cancel(envelope.callID, connection)
    case .credit: grant(envelope, connection)
    case .ping:
      var pong = Envelope(.pong, callID: envelope.callID)
      pong.serverInstanceID = instanceID
      send(pong, [], to: connection)
    case .partial, .final, .pong, .goAway, nil:
      throw .field(
        .unknownMessageKind, "kind", "\(envelope.rawKind) is no kind that clients send",
        limit: "CALL, CANCEL, CREDIT, PING")
    }
  }

  private func startCall(
    _ envelope: Envelope, _ frames: [[UInt8]], _ connection: Connection, now: Microseconds
  ) throws(QubusError) {
    guard envelope.callID != 0 else {
      throw .field(.invalidRequest, "call_id", "must not be 0")
    }
    guard let method = Self.methods[envelope.method] else {
      throw .field(
        .unknownMethod, "method", "\"\(envelope.method.prefix(64))\" is no method of this server")
    }
    guard frames.count >= 2 else {
      throw QubusError(.malformedFrame, "a CALL needs a body frame, empty or not")
    }
    try decoder.attachmentCount(envelope, frames: frames.count - 2, method)
    if method == .step {
      startStep(envelope, frames, connection, now: now)
      return
    }
    try checkRoom(for: method, callID: envelope.callID, connection)
    let identity = try caller(of: method, envelope, connection)
    if method == .submit { service.expectSubmit() }
    let call = makeCall(method, envelope, identity, connection, now: now)
    do throws(QubusError) {
      if method == .optimize {
        try optimize(call, try decoder.optimize(envelope, frames))
      } else {
        try dispatch(call, frames[1], connection)
      }
    } catch {
      finish(call, Answer(error))
    }
  }

  private func checkRoom(
    for method: Method, callID: UInt64, _ connection: Connection
  ) throws(QubusError) {
    let declaration = method.declaration
    try checkRoom(
      callID: callID, connection, isServedWhileStopping: declaration.isServedWhileStopping)
    try checkUnread(connection, .tooManyCallsInFlight)
    let limits = configuration.limits
    guard declaration.shape == .unary || connection.streams < limits.streamsPerConnection else {
      throw QubusError(
        .tooManyStreams,
        "\(connection.streams) streams are open (limit: \(limits.streamsPerConnection))")
    }
  }

  /// What holds for every call, a Step that will be answered in place included.
  func checkRoom(
    callID: UInt64, _ connection: Connection, isServedWhileStopping: Bool = false
  ) throws(QubusError) {
    guard connection.calls[callID] == nil else {
      throw .field(.duplicateCallID, "call_id", "call \(callID) has not ended; it goes on")
    }
    if isStopping && !isServedWhileStopping {
      throw QubusError(
        .serverShuttingDown, "the server stops and takes no new calls",
        retryAfterMilliseconds: 1000)
    }
    let limit = configuration.limits.callsInFlightPerConnection
    guard connection.calls.count < limit else {
      throw QubusError(
        .tooManyCallsInFlight, "\(connection.calls.count) calls in flight (limit: \(limit))")
    }
    guard callsInFlight < configuration.callsInFlight else {
      throw QubusError(
        .serverOverloaded,
        "\(callsInFlight) calls in flight (limit: \(configuration.callsInFlight))",
        retryAfterMilliseconds: 100)
    }
  }

  /// Who makes a call, if they may.
  private func caller(
    of method: Method, _ envelope: Envelope, _ connection: Connection
  ) throws(QubusError) -> Identity {
    do throws(QubusError) {
      let identity = try envelope.token.withUnsafeBytes { token in
        Result { () throws(QubusError) in try caller(connection, token: token) }
      }.get()
      try authorize(identity, method)
      try checkRate(identity, method)
      return identity
    } catch {
      noteRefusal(error, method, connection)
      throw error
    }
  }

  private func makeCall(
    _ method: Method, _ envelope: Envelope, _ identity: Identity, _ connection: Connection,
    now: Microseconds
  ) -> Call {
    serial += 1
    let call = Call(
      key: CallKey(connection: connection.key, callID: envelope.callID, serial: serial),
      method: method,
      context: CallContext(
        identity: identity, clientVersion: connection.clientVersion,
        traceID: traceID(of: envelope.traceContext)),
      credit: envelope.creditBytes, startedAt: now, token: envelope.token)
    enter(call, connection, timeoutMilliseconds: envelope.timeoutMilliseconds)
    logger.trace(
      "call",
      metadata: [
        "method": "\(method.rawValue)", "trace_id": "\(call.traceID)",
        "principal": "\(identity.principal.name)",
      ])
    return call
  }

  /// Counts a call as in flight until it is forgotten.
  func enter(_ call: Call, _ connection: Connection, timeoutMilliseconds: UInt32) {
    connection.calls[call.key.callID] = call
    callsInFlight += 1
    if call.isStream { connection.streams += 1 }
    guard timeoutMilliseconds > 0 else { return }
    timers.add(
      TimerQueue.Entry(
        time: call.startedAt + Microseconds(timeoutMilliseconds) * 1000, key: call.key,
        purpose: .timeout))
  }

  /// - Parameter parent: a `traceparent`; empty, or not valid: an id is made.
  func traceID(of parent: String) -> String {
    if !parent.isEmpty, let id = TraceContext.traceID(of: parent) {
      return id
    }
    return TraceContext.makeTraceID(&generator)
  }

  private func cancel(_ callID: UInt64, _ connection: Connection) {
    // An unknown call has ended: its FINAL and the CANCEL crossed.
    guard let call = connection.calls[callID] else { return }
    abandon(call)
    finish(
      call, Answer(QubusError(.callCanceled, "the client canceled the call; no job is affected")))
  }

  private func grant(_ envelope: Envelope, _ connection: Connection) {
    guard let call = connection.calls[envelope.callID] else { return }
    do throws(QubusError) {
      guard call.isStream else {
        throw QubusError(
          .streamCreditViolation, "\(call.method.rawValue) sends no stream and takes no credit")
      }
      try call.credit.grant(envelope.creditBytes)
      pump(call)
    } catch {
      finish(call, Answer(error))
    }
  }

  /// Answers what never became a call.
  func refuse(
    _ error: QubusError, callID: UInt64, _ connection: Connection, now: Microseconds,
    envelope: Envelope? = nil
  ) {
    let traceID = traceID(of: envelope?.traceContext ?? "")
    logMalformed("refused", now, ["error": "\(error.logText)", "trace_id": "\(traceID)"])
    var final = Envelope(.final, callID: callID)
    final.status = WireStatus(error, traceID: traceID)
    send(final, [], to: connection)
  }

  func logMalformed(
    _ text: StaticString, _ now: Microseconds, _ facts: Logger.Metadata = [:]
  ) {
    guard let suppressed = malformedLog.admit(now) else { return }
    logger.notice(
      "\(text)", metadata: facts.merging(["suppressed": "\(suppressed)"]) { $1 })
  }

  static let methods = Dictionary(
    uniqueKeysWithValues: Method.allCases.map { ($0.rawValue, $0) })
}

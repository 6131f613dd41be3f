internal import Logging
internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusTenancy
internal import QubusWire

extension Transport {
  func call(_ key: CallKey) -> Call? {
    guard let call = connections[key.connection]?.calls[key.callID], call.key == key else {
      return nil
    }
    return call
  }

  /// Ends a call with its FINAL.
  func finish(_ call: Call, _ answer: Answer) {
    guard let connection = connections[call.key.connection],
      connection.calls[call.key.callID] === call
    else { return }
    forget(call, connection)
    var envelope = Envelope(.final, callID: call.key.callID)
    if let error = answer.error {
      envelope.status = WireStatus(error, traceID: call.traceID)
      noteRefusal(error, call)
      logFailure(of: call.method, error, traceID: call.traceID, connection)
    }
    envelope.attachments = answer.attachments.map(\.descriptor)
    send(envelope, [answer.body()] + answer.attachments.map(\.frame), to: connection)
  }

  func logFailure(
    of method: Method, _ error: QubusError, traceID: String, _ connection: Connection
  ) {
    logger.info(
      "call failed",
      metadata: [
        "method": "\(method.rawValue)", "error": "\(error.logText)",
        "trace_id": "\(traceID)", "principal": "\(connection.name)",
      ])
  }

  /// Sends one element of a stream within its credit.
  func sendPartial(_ call: Call, body: [UInt8], attachments: [Attachment] = []) {
    guard let connection = connections[call.key.connection] else { return }
    var envelope = Envelope(.partial, callID: call.key.callID)
    let bytes = attachments.reduce(body.count) { $0 + $1.frame.count }
    envelope.streamSequence = call.credit.spend(bytes)
    quotas.streamed(bytes, to: call.context.principal)
    envelope.attachments = attachments.map(\.descriptor)
    send(envelope, [body] + attachments.map(\.frame), to: connection)
  }

  func send(_ envelope: Envelope, _ frames: [[UInt8]], to connection: Connection) {
    guard !connection.isBroken else { return }
    let first = envelope.encoded()
    let delivery =
      frames.isEmpty
      ? socket.send(connection.routingID, [first, []], connection.unread)
      : socket.send(connection.routingID, [first] + frames, connection.unread)
    delivered(delivery, connection)
  }

  /// Draws the consequences of a send.
  func delivered(_ delivery: RouterSocket.Delivery, _ connection: Connection) {
    switch delivery {
    case .queued: break
    case .unreachable: forget(connection)
    case .full:
      logger.warning(
        "a client does not read its answers; its calls are dropped",
        metadata: ["principal": "\(connection.name)"])
      drop(connection)
      connection.isBroken = true
    }
  }

  /// Tells a client that read again that what it had in flight is lost.
  func resynchronize(_ connection: Connection) {
    connection.isBroken = false
    var envelope = Envelope(.goAway)
    envelope.status = WireStatus(
      QubusError(
        .connectionLost, "answers were not read in time; the calls in flight are lost: reconnect"),
      traceID: traceID(of: ""))
    envelope.serverInstanceID = instanceID
    send(envelope, [], to: connection)
  }

  /// The peer is gone: nothing more can be said to it. Its sessions wait to be resumed.
  func forget(_ connection: Connection) {
    drop(connection)
    connections[connection.key] = nil
  }

  private func drop(_ connection: Connection) {
    for call in Array(connection.calls.values) { forget(call, connection) }
  }

  func forget(_ call: Call, _ connection: Connection) {
    connection.calls[call.key.callID] = nil
    callsInFlight -= 1
    if case .stepping(let step) = call.state {
      connection.pendingSteps -= 1
      if !step.isAnswered { sessions.abandonStep(step.session, call.key.stepTag) }
    }
    if case .sendingResult(let stream) = call.state, let bytes = stream.reserved {
      connection.unread.add(-bytes)
    }
    if call.isStream { connection.streams -= 1 }
    call.observation?.end()
    call.observation = nil
  }
}

internal import QubusCore
internal import QubusEngine
internal import QubusTenancy
internal import QubusWire

/// A Step that is a call in flight: one that did not run in place.
struct PendingStep {
  let session: Identifier
  /// As asked for.
  let outputs: UInt32
  /// The engine has told its end; there is nothing left to abandon.
  var isAnswered = false
}

extension CallKey {
  init(_ tag: StepTag) {
    self.init(
      connection: UInt32(truncatingIfNeeded: tag.connection), callID: tag.callID,
      serial: tag.serial)
  }

  var stepTag: StepTag {
    StepTag(connection: UInt64(connection), callID: callID, serial: serial)
  }
}

extension Transport {
  private enum Disposition {
    case answered
    case pending(serial: UInt64, Identity)
    case refused(QubusError)
  }

  /// Serves the message whose head was received when it is a plain Step: in place, without a copy
  /// and without an allocation when the step runs in place. False: the general path has the word.
  func takeStep(_ connection: Connection, now: Microseconds) -> Bool {
    guard socket.headCount == RouterSocket.headFrames, !socket.hasMore else { return false }
    let envelope = socket.headFrame(1)
    let numbers = socket.headFrame(3)
    guard
      let scan = steps.read(envelope: envelope, body: socket.headFrame(2), numbers: numbers)
    else { return false }
    let token = UnsafeRawBufferPointer(rebasing: envelope[scan.token])
    let disposition = serve(scan.message, steps.aligned(numbers), token, connection)
    if case .answered = disposition { return true }
    settle(
      disposition, scan.message, token,
      trace: String(decoding: envelope[scan.trace], as: UTF8.self), connection, now: now)
    return true
  }

  /// A Step by the general path: not as encoders write it, or wrong.
  func startStep(
    _ envelope: Envelope, _ frames: [[UInt8]], _ connection: Connection, now: Microseconds
  ) {
    do throws(QubusError) {
      let message = try decoder.step(envelope, frames)
      frames[2].withUnsafeBytes { numbers in
        envelope.token.withUnsafeBytes { token in
          let disposition = serve(message, steps.aligned(numbers), token, connection)
          settle(
            disposition, message, token, trace: envelope.traceContext, connection, now: now)
        }
      }
    } catch {
      refuseStep(error, callID: envelope.callID, trace: envelope.traceContext, connection)
    }
  }

  private func serve(
    _ message: StepMessage, _ numbers: UnsafeRawBufferPointer, _ token: UnsafeRawBufferPointer,
    _ connection: Connection
  ) -> Disposition {
    let identity: Identity
    do throws(QubusError) {
      try checkRoom(callID: message.callID, connection)
      try checkUnread(connection)
      identity = try caller(connection, token: token)
      try authorize(identity, .step)
      try quotas.request(of: identity.principal)
    } catch {
      return .refused(error)
    }
    serial += 1
    let tag = StepTag(
      connection: UInt64(connection.key), callID: message.callID, serial: serial)
    switch sessions.step(
      StepExchange.call(message, tag), parameters: numbers, identity: identity,
      holder: UInt64(connection.key), sink: outbox)
    {
    case .answered(let result):
      // The answer to an earlier step may wait in the outbox: it goes first.
      if connection.pendingSteps > 0 { drainOutbox() }
      send(result, nil, callID: message.callID, outputs: message.outputs, to: connection)
      return .answered
    case .pending: return .pending(serial: tag.serial, identity)
    case .refused(let error): return .refused(error)
    }
  }

  /// A client that does not read its answers gets no more of them: they would fill the memory.
  func checkUnread(
    _ connection: Connection, _ code: ErrorCode = .sessionBusy
  ) throws(QubusError) {
    let (count, limit) = (connection.unread.count, configuration.unreadBytes)
    guard count > limit else { return }
    throw QubusError(
      code,
      "\(count) bytes of answers wait to be read on this connection (limit: \(limit))",
      retryAfterMilliseconds: 100)
  }

  private func settle(
    _ disposition: Disposition, _ message: StepMessage, _ token: UnsafeRawBufferPointer,
    trace: String, _ connection: Connection, now: Microseconds
  ) {
    switch disposition {
    case .answered: break
    case .refused(let error):
      // As above: answers in the order of arrival.
      if connection.pendingSteps > 0 { drainOutbox() }
      refuseStep(error, callID: message.callID, trace: trace, connection)
    case .pending(let serial, let identity):
      let call = Call(
        key: CallKey(connection: connection.key, callID: message.callID, serial: serial),
        method: .step,
        context: CallContext(
          identity: identity, clientVersion: connection.clientVersion,
          traceID: traceID(of: trace)),
        credit: 0, startedAt: now, token: [UInt8](token))
      call.state = .stepping(PendingStep(session: message.session, outputs: message.outputs))
      connection.pendingSteps += 1
      enter(call, connection, timeoutMilliseconds: message.timeoutMilliseconds)
    }
  }

  /// The end of a step that did not run in place.
  func stepEnded(_ outcome: StepOutcome) {
    guard let call = call(CallKey(outcome.tag)), case .stepping(var step) = call.state,
      let connection = connections[call.key.connection]
    else { return }
    step.isAnswered = true
    call.state = .stepping(step)
    switch outcome.result {
    case .failure(let error): finish(call, Answer(error))
    case .success(let result):
      forget(call, connection)
      send(
        result, outcome.checksums, callID: call.key.callID, outputs: step.outputs, to: connection)
    }
  }

  private func send(
    _ result: StepResult, _ checksums: StepChecksums?, callID: UInt64, outputs: UInt32,
    to connection: Connection
  ) {
    guard !connection.isBroken else { return }
    steps.write(callID: callID, outputs: outputs, result, checksums)
    delivered(
      socket.send(connection.routingID, steps.answer, of: result, connection.unread), connection)
  }

  /// Answers a step that never became a call in flight.
  private func refuseStep(
    _ error: QubusError, callID: UInt64, trace: String, _ connection: Connection
  ) {
    noteRefusal(error, .step, connection)
    let traceID = traceID(of: trace)
    logFailure(of: .step, error, traceID: traceID, connection)
    var envelope = Envelope(.final, callID: callID)
    envelope.status = WireStatus(error, traceID: traceID)
    send(envelope, [], to: connection)
  }
}

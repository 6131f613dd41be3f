internal import Logging
internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusWire

extension Transport {
  /// Carries out what other threads left.
  func drainOutbox() {
    // Taken out of the property: what is handled here may look into the outbox again.
    var taken = Outbox.Taken()
    swap(&taken, &self.taken)
    outbox.take(into: &taken)
    for event in taken.events { handle(event) }
    for step in taken.steps { stepEnded(step) }
    for (key, mark) in taken.progress {
      guard let call = call(key) else { continue }
      progressed(call, sequence: mark.sequence, status: mark.status)
    }
    taken.clear()
    swap(&taken, &self.taken)
  }

  private func handle(_ event: TransportEvent) {
    switch event {
    case .answered(let key, let answer):
      if let call = call(key) { finish(call, answer) }
    case .sessionOpened(let key, let result): sessionOpened(key, result)
    case .sessionResumed(let key, let result):
      if let call = call(key) { sessionResumed(call, result) }
    case .observing(let key, let observation):
      if let call = call(key) { call.observation = observation } else { observation.end() }
    case .eventsRead(let key, let result):
      if let call = call(key) { eventsRead(call, result) }
    case .resultOpened(let key, let opened):
      if let call = call(key) {
        call.state = .sendingResult(ResultStream(opened: opened))
        pump(call)
      }
    case .chunkRead(let key, let result):
      if let call = call(key) { chunkRead(call, result) }
    case .replayStarted(let key, let original, let wait, let result):
      if let call = call(key) {
        replayStarted(call, original: original, waitMilliseconds: wait, result)
      }
    case .optimization(let key, let news):
      if let call = call(key) { optimization(call, news) }
    case .doorLost: doorLost()
    // It is looked at in every round.
    case .rightsChanged: break
    case .stopping: stop()
    case .closing:
      stop()
      closeBy = clock.monotonic() + configuration.closeGraceMilliseconds * 1000
    }
  }

  /// Tells every client, refuses new calls and ends those that only wait.
  private func stop() {
    guard !isStopping else { return }
    isStopping = true
    let error = QubusError(
      .serverShuttingDown, "the server stops; jobs go on when it is back",
      retryAfterMilliseconds: 1000)
    for connection in Array(connections.values) {
      var envelope = Envelope(.goAway)
      envelope.status = WireStatus(error, traceID: traceID(of: ""))
      envelope.serverInstanceID = instanceID
      send(envelope, [], to: connection)
      for call in Array(connection.calls.values) where call.isWaiting {
        finish(call, Answer(error))
      }
    }
  }

  func progressed(_ call: Call, sequence: UInt64, status: JobStatus) {
    switch call.state {
    case .watching(var stream):
      if sequence >= stream.known ?? 0 {
        stream.known = sequence
        stream.status = status
      }
      call.state = .watching(stream)
      pump(call)
    case .awaitingResult(let request):
      if status.isTerminal { openResult(call, request) }
    case .awaitingReplay(let original, let replay):
      if status.isTerminal { compareReplay(call, original: original, replay: replay) }
    case .working, .sendingResult, .stepping, .optimizing: break
    }
  }

  /// The end of a long poll: answers what there is.
  func waitEnded(_ call: Call) {
    switch call.state {
    case .awaitingResult(let request): openResult(call, request)
    case .awaitingReplay(let original, let replay):
      compareReplay(call, original: original, replay: replay)
    case .working, .watching, .sendingResult, .stepping, .optimizing: break
    }
  }

  /// Sends what a stream may send.
  func pump(_ call: Call) {
    switch call.state {
    case .watching: pumpEvents(call)
    case .sendingResult: pumpChunks(call)
    case .optimizing(let stream): pumpOptimization(call, stream)
    case .working, .awaitingResult, .awaitingReplay, .stepping: break
    }
  }

  /// Observes a job for a call; the first word of its state comes at once.
  func observe(_ call: Call, _ id: Identifier) throws(QubusError) {
    let key = call.key
    let changed: @Sendable (UInt64, JobStatus) -> Void = { [outbox] sequence, status in
      outbox.progressed(key, sequence: sequence, status: status)
    }
    if isInMemory(id, call.context) {
      call.observation = try service.observe(id, context: call.context, changed: changed)
      return
    }
    try read(call) { service, context in
      do throws(QubusError) {
        return .observing(key, try service.observe(id, context: context, changed: changed))
      } catch {
        return .answered(key, Answer(error))
      }
    }
  }
}

extension Call {
  var isSendingResult: Bool {
    if case .sendingResult = state { true } else { false }
  }

  /// True when the call ends only by what happens to a job or within a session.
  var isWaiting: Bool {
    switch state {
    case .watching, .awaitingResult, .awaitingReplay, .stepping, .optimizing: true
    case .working, .sendingResult: false
    }
  }
}

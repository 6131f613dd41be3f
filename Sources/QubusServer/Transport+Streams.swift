internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusWire

extension Transport {
  // MARK: WatchJob

  func watch(_ call: Call, _ request: WatchJobRequest) throws(QubusError) {
    call.state = .watching(EventStream(jobID: request.jobID, sent: request.afterSequence))
    try observe(call, request.jobID)
  }

  func pumpEvents(_ call: Call) {
    guard case .watching(var stream) = call.state else { return }
    // The array must have one owner while it is read from.
    call.state = .working
    var failure: QubusError?
    do throws(QubusError) {
      repeat {
        while call.credit.maySend, mayStream(call), let event = stream.take() {
          stream.sent = event.sequence
          sendPartial(call, body: Responses.event(event))
        }
        guard stream.needsEvents else { break }
        try fetchEvents(call, &stream)
      } while stream.hasPending && call.credit.maySend && !call.isPaced
    } catch {
      failure = error
    }
    let mustFinish = stream.isComplete && !stream.isFinishing
    if mustFinish { stream.isFinishing = true }
    call.state = .watching(stream)
    if let failure {
      finish(call, Answer(failure))
    } else if mustFinish {
      finishWatch(call, stream.jobID)
    }
  }

  /// From memory in place, else by a reader thread.
  private func fetchEvents(_ call: Call, _ stream: inout EventStream) throws(QubusError) {
    let (id, after) = (stream.jobID, stream.sent)
    if let recent = service.recentEvents(
      id, after: after, limit: EventStream.batch, context: call.context)
    {
      stream.append(recent)
      return
    }
    stream.isReading = true
    try read(call) { [key = call.key] service, context in
      .eventsRead(
        key,
        Result { () throws(QubusError) in
          try service.events(id, after: after, limit: EventStream.batch, context: context)
        })
    }
  }

  func eventsRead(_ call: Call, _ result: Result<[JobEvent], QubusError>) {
    guard case .watching(var stream) = call.state else { return }
    switch result {
    case .failure(let error): finish(call, Answer(error))
    case .success(let events):
      stream.isReading = false
      stream.append(events)
      if events.isEmpty {
        // The service counted an event that cannot be read: say so instead of waiting for ever.
        finish(
          call,
          Answer(
            QubusError(
              .internalError, "event \(stream.sent + 1) of job \(stream.jobID) is missing")))
        return
      }
      call.state = .watching(stream)
      pumpEvents(call)
    }
  }

  private func finishWatch(_ call: Call, _ id: Identifier) {
    do throws(QubusError) {
      if isInMemory(id, call.context) {
        let view = try service.job(id, context: call.context)
        finish(call, Answer { Responses.watch(view) })
        return
      }
      try read(call) { [key = call.key] service, context in
        .answered(
          key,
          Answer(Result { () throws(QubusError) in try service.job(id, context: context) }) {
            Responses.watch($0)
          })
      }
    } catch {
      finish(call, Answer(error))
    }
  }
}

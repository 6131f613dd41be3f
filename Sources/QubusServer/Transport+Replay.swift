internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusWire

extension Transport {
  func replay(_ call: Call, _ request: ReplayJobRequest) throws(QubusError) {
    let wait = request.waitMilliseconds
    let original = request.jobID
    if let replay = request.replayJobID {
      if wait == 0 {
        compareReplay(call, original: original, replay: replay)
      } else {
        try awaitReplay(call, original: original, replay: replay, milliseconds: wait)
      }
      return
    }
    service.replay(original, context: call.context) { [outbox, key = call.key] result in
      outbox.push(.replayStarted(key, original: original, wait: wait, result))
    }
  }

  func replayStarted(
    _ call: Call, original: Identifier, waitMilliseconds: UInt32,
    _ result: Result<SubmitReport, QubusError>
  ) {
    do throws(QubusError) {
      let started = try result.get()
      if waitMilliseconds == 0 {
        finish(call, Answer { Responses.replay(started: started.job) })
      } else {
        try awaitReplay(
          call, original: original, replay: started.job.record.id, milliseconds: waitMilliseconds)
      }
    } catch {
      finish(call, Answer(error))
    }
  }

  private func awaitReplay(
    _ call: Call, original: Identifier, replay: Identifier, milliseconds: UInt32
  ) throws(QubusError) {
    call.state = .awaitingReplay(original: original, replay: replay)
    addWait(call, milliseconds: milliseconds)
    try observe(call, replay)
  }

  func compareReplay(_ call: Call, original: Identifier, replay: Identifier) {
    call.state = .working
    do throws(QubusError) {
      try read(call) { [key = call.key] service, context in
        .answered(
          key,
          Answer(
            Result { () throws(QubusError) in
              try service.compareReplay(original, replay: replay, context: context)
            }
          ) { Responses.replay($0) })
      }
    } catch {
      finish(call, Answer(error))
    }
  }

  /// Ends the waiting of a long poll after `milliseconds`.
  func addWait(_ call: Call, milliseconds: UInt32) {
    timers.add(
      TimerQueue.Entry(
        time: clock.monotonic() + Microseconds(milliseconds) * 1000, key: call.key,
        purpose: .wait))
  }
}

internal import QubusCore
internal import QubusDevices
internal import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

extension Engine {
  /// Tells the scheduler which devices start nothing, now and whenever that changes; and those who
  /// watch jobs that wait for them.
  func watchDrains() {
    drains.watch { [weak self] drains in
      guard let self else { return }
      var outages: [UInt16: DeviceOutage] = [:]
      for drain in drains.values {
        guard let number = deviceNumbers[drain.device] else { continue }
        outages[number] = DeviceOutage(
          since: drain.since, detail: drain.text,
          remedy: "an operator ends the drain")
      }
      scheduler.post(.offline(outages))
      tellWatched(drains)
    }
  }

  /// Only those that somebody watches: of all others it shows whenever they are looked at.
  private func tellWatched(_ drains: [String: DeviceDrain]) {
    for id in shared.withLock({ $0.watched }) {
      guard let job = table.job(id) else { continue }
      let (record, isNews) = job.withLock { state -> (JobRecord, Bool) in
        let isDrained = drains[state.record.device] != nil
        guard state.phase == .queued, state.isToldOffline != isDrained else {
          return (state.record, false)
        }
        state.isToldOffline = isDrained
        return (state.record, true)
      }
      guard isNews else { continue }
      var body = JobEventBody()
      let drain = drains[record.device]
      body.details["message"] = drain?.text ?? "the drain of \(record.device) has ended"
      write(
        JobUpdate(
          jobID: id, attempt: record.attempt,
          events: [
            NewEvent(
              time: clock.now(), kind: .queueMoved, status: .queued,
              reason: drain == nil ? "" : JobReason.deviceOffline, attempt: record.attempt,
              body: body)
          ]), job)
    }
  }
}

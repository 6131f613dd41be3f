package import QubusCore

extension Scheduler {
  /// Everything that keeps a waiting job from running now; empty for one that runs or is not known.
  package func explain(_ id: Identifier, now: Microseconds) -> [WaitConstraint] {
    guard let job = waiting(id) else { return [] }
    var found = withholding(id)
    if let outage = outages[job.device] { found.append(.deviceOffline(outage)) }
    let hasNoTurn = !found.isEmpty
    if let drainedSince { found.append(.deviceOffline(since: drainedSince)) }
    if let quota = quota(job, now: now) { found.append(quota) }
    // Turn and room are of the moment; one that is withheld has no turn.
    if let window = calendarConstraint(on: job, now: now) { found.append(window) }
    if hasNoTurn { return found }
    found += policy.constraints(on: id)
    if let room = room(for: job, now: now) { found.append(room) }
    return found
  }

  /// What is noted to keep a job from its turn, whether it is here yet or not.
  package func withholding(_ id: Identifier) -> [WaitConstraint] {
    withheld.causes(of: id).map { WaitConstraint($0.cause, since: $0.since) }
  }

  private func quota(_ job: SchedulerJob, now: Microseconds) -> WaitConstraint? {
    guard let full = caps.full(for: job) else { return nil }
    let bounds = [
      full.cap.jobs.map { "\(full.use.jobs) of \($0) jobs" },
      full.cap.memoryBytes.map { "\(full.use.memoryBytes) of \($0) bytes" },
    ].compactMap { $0 }.joined(separator: " and ")
    return WaitConstraint(
      kind: .quota, since: parked.since(job.id) ?? job.id.madeAt ?? now,
      detail: "\(full.account) has running what it may at one time: \(bounds)",
      remedy: "the end of one of its jobs, or a higher quota",
      delay: nextEnd(of: full.account, now: now))
  }

  private func room(for job: SchedulerJob, now: Microseconds) -> WaitConstraint? {
    guard !fits(job, .compute), job.lane != .interactive || !fits(job, .express) else {
      return nil
    }
    let (slots, memory) = (freeSlots[.compute] ?? 0, freeMemory[.compute] ?? 0)
    return WaitConstraint(
      kind: .tooLarge, since: job.id.madeAt ?? now,
      detail: "it takes \(self.slots(of: job)) of \(capacity.computeSlots) slots and "
        + "\(self.memory(of: job, in: .compute)) bytes; \(slots) slots and \(memory) bytes are "
        + "free",
      remedy: "the end of what runs", delay: delayOfRoom(for: job, now: now))
  }

  /// Until as much is free as the job takes, by the predicted times of what runs.
  private func delayOfRoom(for job: SchedulerJob, now: Microseconds) -> Microseconds? {
    var (slots, memory) = (freeSlots[.compute] ?? 0, freeMemory[.compute] ?? 0)
    let ends = running.values.filter { $0.slot == .compute }
      .map { (end: $0.predictedEnd(now: now), job: $0.job) }
      .sorted { $0.end < $1.end }
    for entry in ends {
      slots += self.slots(of: entry.job)
      memory += self.memory(of: entry.job, in: .compute)
      if slots >= self.slots(of: job), memory >= self.memory(of: job, in: .compute) {
        return entry.end - now
      }
    }
    return nil
  }

  /// Until the next of an account's running jobs ends.
  private func nextEnd(of account: AccountPath, now: Microseconds) -> Microseconds? {
    running.values.filter { $0.job.accounts.contains(account) }
      .map { $0.predictedEnd(now: now) - now }.min()
  }
}

extension WaitConstraint {
  fileprivate init(_ cause: WithholdCause, since: Microseconds) {
    switch cause {
    case .paused:
      self.init(
        kind: .paused, since: since, detail: "somebody paused it",
        remedy: "somebody who may cancel it resumes it")
    case .dependency:
      self.init(
        kind: .dependency, since: since, detail: "other jobs have to end first",
        remedy: "their end")
    case .held:
      self.init(
        kind: .held, since: since, detail: "an operator holds it",
        remedy: "an operator releases it")
    }
  }
}

extension Scheduler.Running {
  /// One that ran past what was predicted is expected to run as long again.
  func predictedEnd(now: Microseconds) -> Microseconds {
    let ran = max(0, now - startedAt)
    let left = job.predictedMicroseconds > ran ? job.predictedMicroseconds - ran : ran
    return now + left
  }
}

/// Which session's step runs next: start-time fair queueing between owners, and between the
/// sessions of each. A value without a clock: what ran is told in nanoseconds of device time.
///
/// An owner that waits gets its share whatever the number of its sessions and the size of their
/// steps; time that it did not use is not saved up.
/// - Source: Goyal, Vin, Cheng 1996, "Start-time Fair Queueing".
struct StepQueue {
  enum Choice {
    /// Those short enough for the transport thread.
    case small
    case large
    case any
  }

  private struct Lane {
    var time = 0.0
    var isReady = false
    var isSmall = false
    var cost = 0.0
  }
  private struct Owner {
    /// Virtual time at which the owner's next step starts.
    var time = 0.0
    /// Of the owner's sessions: the start of the step that was taken last.
    var sessionTime = 0.0
    var sessions: [Int: Lane] = [:]
    var ready = 0
    var running = 0
  }

  private var owners: [Int: Owner] = [:]
  private var ownerOfSession: [Int: Int] = [:]
  /// Start of the step that was taken last.
  private var time = 0.0
  /// Sessions whose next step waits.
  private(set) var readyCount = 0
  private(set) var smallCount = 0
  /// Time by which a small step's owner may be ahead of the others: it uses a thread that they
  /// cannot use.
  let slack: Double

  init(slackNanoseconds: Double = 1e6) { slack = slackNanoseconds }

  /// A session's next step waits. Precondition: none of it waits or runs.
  /// - Parameters:
  ///   - cost: predicted, nanoseconds.
  ///   - debt: nanoseconds that the owner used past this queue.
  mutating func arrive(
    session: Int, owner: Int, cost: Double, isSmall: Bool, debt: Double = 0
  ) {
    ownerOfSession[session] = owner
    var entry = owners[owner] ?? Owner()
    owners[owner] = nil
    if entry.ready == 0, entry.running == 0 { entry.time = max(entry.time, time) }
    entry.time += debt
    var lane = entry.sessions[session] ?? Lane()
    precondition(!lane.isReady, "one step of a session waits at a time")
    lane.time = max(lane.time, entry.sessionTime)
    lane.isReady = true
    lane.isSmall = isSmall
    lane.cost = cost
    entry.sessions[session] = lane
    entry.ready += 1
    owners[owner] = entry
    readyCount += 1
    if isSmall { smallCount += 1 }
  }

  /// The session whose step runs now; `finish` must follow.
  mutating func take(_ choice: Choice) -> Int? {
    guard readyCount > 0, let (owner, session) = best(choice) else { return nil }
    guard var entry = owners.removeValue(forKey: owner), var lane = entry.sessions[session]
    else { return nil }
    time = max(time, entry.time)
    entry.sessionTime = max(entry.sessionTime, lane.time)
    entry.time += lane.cost
    lane.time += lane.cost
    lane.isReady = false
    entry.ready -= 1
    entry.running += 1
    readyCount -= 1
    if lane.isSmall { smallCount -= 1 }
    entry.sessions[session] = lane
    owners[owner] = entry
    return session
  }

  /// What the step that was taken really used.
  mutating func finish(session: Int, nanoseconds: Double) {
    guard let owner = ownerOfSession[session] else { return }
    guard var entry = owners.removeValue(forKey: owner), var lane = entry.sessions[session]
    else { return }
    entry.time += nanoseconds - lane.cost
    lane.time += nanoseconds - lane.cost
    lane.cost = 0
    entry.running -= 1
    entry.sessions[session] = lane
    owners[owner] = entry
  }

  /// The session's next step waits no more; false when none did.
  @discardableResult
  mutating func withdraw(session: Int) -> Bool {
    guard let owner = ownerOfSession[session] else { return false }
    guard var lane = owners[owner]?.sessions[session], lane.isReady else { return false }
    lane.isReady = false
    readyCount -= 1
    if lane.isSmall { smallCount -= 1 }
    owners[owner]?.sessions[session] = lane
    owners[owner]?.ready -= 1
    return true
  }

  /// The session is gone. Precondition: none of its steps runs.
  mutating func forget(session: Int) {
    withdraw(session: session)
    guard let owner = ownerOfSession.removeValue(forKey: session) else { return }
    owners[owner]?.sessions[session] = nil
    if owners[owner]?.sessions.isEmpty == true { owners[owner] = nil }
  }

  /// Owners and sessions that are behind go first; equal ones in order of their numbers.
  private func best(_ choice: Choice) -> (owner: Int, session: Int)? {
    var found: (owner: Int, session: Int, time: Double)?
    var least = Double.infinity
    for (number, owner) in owners where owner.ready > 0 {
      least = min(least, owner.time)
      if let found, (found.time, found.owner) < (owner.time, number) { continue }
      guard let session = Self.best(owner, choice) else { continue }
      found = (number, session, owner.time)
    }
    guard let found else { return nil }
    if case .small = choice, found.time > least + slack { return nil }
    return (found.owner, found.session)
  }

  private static func best(_ owner: Owner, _ choice: Choice) -> Int? {
    var found: (session: Int, time: Double)?
    for (number, lane) in owner.sessions where lane.isReady {
      switch choice {
      case .small where !lane.isSmall, .large where lane.isSmall: continue
      case .small, .large, .any: break
      }
      if let found, (found.time, found.session) < (lane.time, number) { continue }
      found = (number, lane.time)
    }
    return found?.session
  }
}

internal import DequeModule

/// The ideal that shares are measured against: the machine split at every moment like a fluid, in
/// equal parts over the users who have work, none more than the processors that its jobs can use;
/// a user's jobs in order of arrival.
/// - Source: Parekh & Gallager 1993, generalised processor sharing.
struct FluidShares {
  private struct Job {
    var processors: Double
    /// Processor seconds.
    var left: Double
  }
  private struct User {
    var jobs: Deque<Job> = []
    /// Processors that the jobs can use together.
    var demand = 0.0
    var rate = 0.0
    var curve = ServiceCurve()
  }
  private let processors: Double
  private var users: [User]
  private var now = 0.0

  /// What each user would have got, by user.
  static func curves(of trace: Trace) -> [ServiceCurve] {
    var fluid = FluidShares(trace)
    for job in trace.jobs {
      fluid.serve(until: Double(job.submitted) / 1e6)
      fluid.arrive(job)
    }
    fluid.serve(until: .infinity)
    return fluid.users.map(\.curve)
  }

  private init(_ trace: Trace) {
    processors = Double(trace.processors)
    users = Array(repeating: User(), count: trace.userCount)
  }

  private mutating func arrive(_ job: TraceJob) {
    let size = Double(job.processors)
    users[job.user].jobs.append(Job(processors: size, left: size * Double(job.runTime) / 1e6))
    users[job.user].demand += size
  }

  private mutating func serve(until end: Double) {
    while now < end {
      share()
      var step = end - now
      for user in users.indices where users[user].rate > 0 {
        forEachServed(user) { job, rate in step = min(step, job.left / rate) }
      }
      guard step < .infinity else { return }
      for user in users.indices where users[user].rate > 0 {
        forEachServed(user) { job, rate in job.left -= rate * step }
        dropDone(user)
      }
      now += step
    }
  }

  /// Splits the processors: those who can use less than an equal part leave the rest to the others.
  private mutating func share() {
    let waiting = users.indices.filter { users[$0].demand > 0 }
      .sorted { users[$0].demand < users[$1].demand }
    var left = processors
    var sharers = waiting.count
    for user in users.indices where users[user].demand == 0 { set(0, user) }
    for user in waiting {
      let rate = min(users[user].demand, left / Double(sharers))
      left -= rate
      sharers -= 1
      set(rate, user)
    }
  }

  private mutating func set(_ rate: Double, _ user: Int) {
    guard users[user].rate != rate else { return }
    users[user].rate = rate
    users[user].curve.change(to: rate, at: now)
  }

  /// The user's first jobs share its rate.
  private mutating func forEachServed(_ user: Int, _ body: (inout Job, Double) -> Void) {
    var rate = users[user].rate
    var place = 0
    while rate > 1e-9, place < users[user].jobs.count {
      let given = min(rate, users[user].jobs[place].processors)
      body(&users[user].jobs[place], given)
      rate -= given
      place += 1
    }
  }

  /// Jobs behind the ones that are served have all of their work left, so that only the first few
  /// need a look.
  private mutating func dropDone(_ user: Int) {
    var served = 0
    var rate = users[user].rate
    while rate > 1e-9, served < users[user].jobs.count {
      rate -= min(rate, users[user].jobs[served].processors)
      served += 1
    }
    for place in (0..<served).reversed() where users[user].jobs[place].left <= 1e-6 {
      users[user].demand -= users[user].jobs[place].processors
      users[user].jobs.remove(at: place)
    }
    if users[user].jobs.isEmpty { users[user].demand = 0 }
  }
}

// What the scheduler costs with a million waiting jobs. The issue asks for at least 100,000
// decisions a second on one core, p99 of one decision ≤ 50 µs, and ≤ 256 bytes a waiting job.
// Run: swift run -c release scheduler-bench [JOBS]
internal import QubusCore
internal import QubusScheduler

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Time of this thread on its core: what else runs on the machine does not count.
func nanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Bytes of this process in memory, now and at most.
func residentBytes() -> (now: Int, most: Int) {
  var figures = (now: 0, most: 0)
  guard let file = fopen("/proc/self/status", "r") else { return figures }
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 256)
  while fgets(&line, 256, file) != nil {
    let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
    let kilobytes = Int(text.split(whereSeparator: \.isWhitespace).dropFirst().first ?? "") ?? 0
    if text.hasPrefix("VmRSS:") { figures.now = kilobytes * 1024 }
    if text.hasPrefix("VmHWM:") { figures.most = kilobytes * 1024 }
  }
  return figures
}

struct Random: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// A job of one of 1,000 principals in 100 projects of 20 tenants.
func job(_ number: Int, cores: Int, isSliced: Bool, _ random: inout Random) -> FairJob {
  let principal = Int.random(in: 0..<1000, using: &random)
  let seconds = Double.random(in: 0.001...1, using: &random)
  let run = Microseconds(seconds * seconds * 100e6)
  return FairJob(
    id: Identifier(high: UInt64(number) << 16 | 0x7000, low: random.next()),
    account: AccountPath(
      tenant: "tenant-\(principal % 20)", project: "project-\(principal % 100)",
      principal: "user-\(principal)"),
    lane: [.interactive, .batch, .batch, .long][Int.random(in: 0..<4, using: &random)],
    cores: Int.random(in: 1...cores, using: &random), submittedAt: Microseconds(number),
    expectedMicroseconds: run, longMicroseconds: 2 * run, isPreemptible: isSliced)
}

/// Fills a queue, then lets jobs end and others come in their place.
func measure(_ name: String, jobs count: Int, cores: Int, widest: Int, isSliced: Bool) throws {
  var policy = FairPolicy()
  policy.overdueAfter = [.interactive: 60_000_000, .batch: 600_000_000]
  var random = Random(state: 7)
  let before = residentBytes()
  var scheduler = try FairScheduler(policy: policy, cores: cores)
  try scheduler.apply(.drained(true), now: 0)
  let start = nanoseconds()
  for number in 1...count {
    let new = job(number, cores: widest, isSliced: isSliced, &random)
    try scheduler.apply(.submitted(new), now: Microseconds(number))
  }
  let fill = Double(nanoseconds() - start) / Double(count)
  let after = residentBytes()
  let bytes = (after.now - before.now) / count
  let peak = (after.most - before.now) / count
  try scheduler.apply(.drained(false), now: Microseconds(count))

  var now = Microseconds(count)
  var running: [(id: Identifier, until: Microseconds?)] = []
  var times: [UInt64] = []
  var (decisions, spent, next) = (0, UInt64(0), count)
  while times.count < 300_000 {
    now += Microseconds.random(in: 1...20_000, using: &random)
    let begin = nanoseconds()
    for decision in scheduler.decide(now: now) {
      decisions += 1
      if case .start(let id, let until) = decision { running.append((id, until)) }
    }
    times.append(nanoseconds() - begin)
    let index = Int.random(in: 0..<running.count, using: &random)
    let ended = running.remove(at: index)
    let isDone = ended.until == nil || Bool.random(using: &random)
    let arrival = job(next + 1, cores: widest, isSliced: isSliced, &random)
    var late = arrival
    late.submittedAt = now
    let event = nanoseconds()
    if isDone {
      next += 1
      try scheduler.apply(.finished(ended.id), now: now)
      try scheduler.apply(.submitted(late), now: now)
    } else {
      try scheduler.apply(.yielded(ended.id, Checkpoint(shotsDone: 1)), now: now)
    }
    spent += nanoseconds() - event
  }
  spent += times.reduce(0, +)
  times.sort()
  let (median, slow) = (times[times.count / 2], times[times.count * 99 / 100])
  let rate = Double(decisions) / (Double(spent) * 1e-9)
  print(
    """
    \(name): \(Int(rate)) decisions/s with their events, decide p50 \(median) ns, p99 \(slow) ns, \
    slowest \(times[times.count - 1]) ns; submit \(Int(fill)) ns; \(bytes) bytes a waiting job, \
    \(peak) at most while filling; \(scheduler.queuedCount) wait
    """)
}

/// The engine's quick path: a job that finds nothing waiting, started and ended.
func measureQuickPath() throws {
  let capacity = SchedulerCapacity(
    computeSlots: 2, memoryBytes: 1 << 30, jobsQueued: 1_000_000)
  var scheduler = Scheduler(
    capacity: capacity, policy: try FairOrder(capacity: capacity))
  var times: [UInt64] = []
  for number in 1...200_000 {
    let job = SchedulerJob(
      id: Identifier(high: UInt64(number) << 16 | 0x7000, low: UInt64(number)),
      tenant: "lab", project: "project", principal: "user-\(number % 50)", lane: .interactive,
      memoryBytes: 1 << 20, predictedMicroseconds: 200)
    let now = Microseconds(number) * 1000
    let start = nanoseconds()
    try scheduler.admit(lane: .interactive, now: now)
    guard scheduler.startNow(job, now: now) != nil else { fatalError("the device was free") }
    scheduler.apply(.finished(job.id), now: now + 200)
    times.append(nanoseconds() - start)
  }
  times.sort()
  print(
    "admit, startNow and finished of the engine: p50 \(times[100_000]) ns, p99 \(times[198_000]) ns"
  )
}

let jobs = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 1_000_000
try measure("one QPU, slices", jobs: jobs, cores: 1, widest: 1, isSliced: true)
try measure("64 cores, rigid, backfill", jobs: jobs, cores: 64, widest: 32, isSliced: false)
try measureQuickPath()

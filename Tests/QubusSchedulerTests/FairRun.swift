import QubusCore

@testable import QubusScheduler

/// A device in virtual time: carries a scheduler's decisions out and watches what it must keep.
struct FairRun {
  struct Life {
    var job: FairJob
    var arrivesAt: Microseconds
    /// What it will run in all.
    var runTime: Microseconds
    var cancelsAt: Microseconds?
    var firstStart: Microseconds?
    var end: Microseconds?
    var isCanceled = false
    var preemptions = 0
  }
  private struct Run {
    var startedAt: Microseconds
    var stopsAt: Microseconds
  }

  var scheduler: FairScheduler
  let cores: Int
  let memoryBytes: UInt64
  var lives: [Identifier: Life] = [:]
  private var running: [Identifier: Run] = [:]
  private var attained: [Identifier: Microseconds] = [:]
  private var shots: [Identifier: UInt64] = [:]
  private var pending: [(time: Microseconds, id: Identifier)] = []
  private var cancels: [(time: Microseconds, id: Identifier)] = []
  private(set) var now: Microseconds = 0
  private(set) var decisions: [FairDecision] = []
  private(set) var violations: [String] = []
  /// Device-seconds that each principal got.
  private(set) var served: [AccountPath: Double] = [:]
  private(set) var slicesShort = 0
  /// Borders of chunks lie this far apart.
  var chunk: Microseconds = 10_000

  init(_ scheduler: FairScheduler, cores: Int, memoryBytes: UInt64 = 0, _ all: [Life]) {
    self.scheduler = scheduler
    self.cores = cores
    self.memoryBytes = memoryBytes
    for life in all { lives[life.job.id] = life }
    pending = all.map { ($0.arrivesAt, $0.job.id) }.sorted { $0 > $1 }
    cancels = all.compactMap { life in life.cancelsAt.map { ($0, life.job.id) } }.sorted { $0 > $1 }
  }

  /// Until nothing is left, or until a time.
  mutating func run(until end: Microseconds = .max) {
    while let next = nextTime, next <= end {
      now = next
      step()
    }
    if end == .max, !lives.values.allSatisfy({ $0.end != nil || $0.isCanceled }) {
      violations.append("jobs were left waiting")
    }
  }

  private var nextTime: Microseconds? {
    let stop = running.values.map(\.stopsAt).min()
    let isWaiting = scheduler.queuedCount > 0
    let own = isWaiting ? scheduler.nextTime.map { max($0, now + 1) } : nil
    return [pending.last?.time, stop, cancels.last?.time, own].compactMap { $0 }.min()
  }

  private mutating func step() {
    let ending = running.filter { $0.value.stopsAt <= now }.keys.sorted()
    for id in ending { stop(id) }
    while let (time, id) = pending.last, time <= now, let life = lives[id] {
      pending.removeLast()
      apply(.submitted(life.job))
    }
    while let (time, id) = cancels.last, time <= now {
      cancels.removeLast()
      guard lives[id]?.firstStart == nil else { continue }
      lives[id]?.isCanceled = true
      apply(.canceled(id))
    }
    let made = scheduler.decide(now: now)
    decisions += made
    for decision in made { carryOut(decision) }
    checkUse()
  }

  private mutating func apply(_ event: FairEvent) {
    do throws(QubusError) {
      try scheduler.apply(event, now: now)
    } catch {
      violations.append("\(event) was refused: \(error.message)")
    }
  }

  private mutating func stop(_ id: Identifier) {
    guard let run = running.removeValue(forKey: id), let life = lives[id] else { return }
    let ran = now - run.startedAt
    attained[id, default: 0] += ran
    let part = max(
      Double(life.job.cores) / Double(cores),
      memoryBytes > 0 ? Double(life.job.memoryBytes) / Double(memoryBytes) : 0)
    served[life.job.account, default: 0] += part * Double(ran) * 1e-6
    if attained[id, default: 0] >= life.runTime {
      lives[id]?.end = now
      apply(.finished(id))
    } else {
      if ran < scheduler.policy.leastSlice { slicesShort += 1 }
      lives[id]?.preemptions += 1
      let done = UInt64(attained[id, default: 0])
      shots[id] = done
      apply(.yielded(id, Checkpoint(shotsDone: done)))
    }
  }

  private mutating func carryOut(_ decision: FairDecision) {
    switch decision {
    case .start(let id, let until):
      guard let life = lives[id], running[id] == nil, life.end == nil, !life.isCanceled,
        life.arrivesAt <= now
      else { return violations.append("\(id) was started and does not wait") }
      if let done = shots[id], scheduler.progress(of: id)?.checkpoint?.shotsDone != done {
        violations.append("\(id) lost its checkpoint")
      }
      if lives[id]?.firstStart == nil { lives[id]?.firstStart = now }
      let left = life.runTime - attained[id, default: 0]
      if !life.job.isPreemptible, until != nil { violations.append("\(id) was sliced") }
      running[id] = Run(startedAt: now, stopsAt: now + min(left, until.map { $0 - now } ?? left))
    case .yield(let id):
      guard let run = running[id] else {
        return violations.append("\(id) was asked to yield and does not run")
      }
      if now - run.startedAt < scheduler.policy.leastSlice {
        violations.append("\(id) was asked to yield before its slice paid for the switch")
      }
      let border = run.startedAt + ((now - run.startedAt) / chunk + 1) * chunk
      running[id]?.stopsAt = min(run.stopsAt, border)
    }
  }

  private mutating func checkUse() {
    var (used, memory) = (0, UInt64(0))
    for id in running.keys {
      used += lives[id]?.job.cores ?? 0
      memory += lives[id]?.job.memoryBytes ?? 0
    }
    if used > cores { violations.append("\(used) cores of \(cores) are taken") }
    if memoryBytes > 0, memory > memoryBytes {
      violations.append("\(memory) bytes of \(memoryBytes) are taken")
    }
    if used != cores - scheduler.freeCores { violations.append("free cores are miscounted") }
  }
}

import QubusCore

@testable import QubusScheduler

/// A seeded generator, so that a failing property test can be run again.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

func id(_ number: Int) -> Identifier { Identifier(high: 0, low: UInt64(number)) }

func job(
  _ number: Int, _ lane: Lane = .batch, cores: CoreDemand = .one, memory: UInt64 = 0,
  seconds: Double = 1, expiresAt: Microseconds? = nil, runLimit: Microseconds? = nil
) -> SchedulerJob {
  SchedulerJob(
    id: id(number), lane: lane, cores: cores, memoryBytes: memory,
    predictedMicroseconds: Microseconds(seconds * 1e6), expiresAt: expiresAt,
    runLimitMicroseconds: runLimit)
}

/// What is predicted for a job whose p90 is `long`, where nothing else is known of it.
func predicted(ofLong long: Microseconds) -> Microseconds {
  let probe = SchedulerJob(id: id(0), lane: .batch, predictedMicroseconds: 1000)
  return long * 1000 / probe.longMicroseconds
}

/// One random life of a scheduler, with everything that a property needs to look at.
struct SchedulerHistory {
  var jobs: [Identifier: SchedulerJob] = [:]
  var decisions: [SchedulerDecision] = []
  var canceled: Set<Identifier> = []
  /// Largest use seen: compute slots, express slots, compute memory.
  var mostSlots = 0
  var mostExpress = 0
  var mostMemory: UInt64 = 0
  var refusals = 0
  var left: Int

  static let capacity = SchedulerCapacity(
    computeSlots: 3, memoryBytes: 1000, expressMemoryBytes: 100, jobsQueued: 40)

  /// - Parameter drainAtEnd: goes on until nothing waits or runs.
  init(seed: UInt64, steps: Int, drainAtEnd: Bool = true) {
    var random = SeededGenerator(state: seed)
    var scheduler = Scheduler(capacity: Self.capacity)
    var running: [Identifier: (SchedulerJob, SlotClass)] = [:]
    var now: Microseconds = 0
    left = 0
    func decide(_ history: inout SchedulerHistory) {
      for decision in scheduler.decide(now: now) {
        history.decisions.append(decision)
        if case .start(let id, let slot) = decision, let job = history.jobs[id] {
          running[id] = (job, slot)
        }
      }
      history.measure(running)
    }
    for step in 0..<steps {
      now += Microseconds.random(in: 0...200, using: &random)
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<5:
        let isSmall = Bool.random(using: &random)
        let cores: CoreDemand =
          !isSmall && Int.random(in: 0..<3, using: &random) == 0 ? .all : .one
        let lane: Lane = isSmall ? .interactive : .batch
        let new = job(
          step, lane, cores: cores,
          memory: UInt64.random(in: 0...(isSmall ? 100 : 1200), using: &random), seconds: 0.001,
          expiresAt: Int.random(in: 0..<4, using: &random) == 0
            ? now + Microseconds.random(in: 1...2000, using: &random) : nil)
        do throws(QubusError) {
          try scheduler.admit(lane: lane, now: now)
          jobs[new.id] = new
          scheduler.apply(.queued(new), now: now)
        } catch { refusals += 1 }
      case 5:  // someone cancels any job
        if let any = jobs.keys.sorted().randomElement(using: &random), running[any] == nil,
          scheduler.position(of: any) != nil
        {
          canceled.insert(any)
          scheduler.apply(.canceled(any), now: now)
        }
      default:
        if let any = running.keys.sorted().randomElement(using: &random) {
          running[any] = nil
          scheduler.apply(.finished(any), now: now)
        }
      }
      decide(&self)
    }
    while drainAtEnd, let any = running.keys.min() {
      running[any] = nil
      now += 1
      scheduler.apply(.finished(any), now: now)
      decide(&self)
    }
    left = scheduler.queuedCount + scheduler.runningCount
  }

  private mutating func measure(_ running: [Identifier: (SchedulerJob, SlotClass)]) {
    var slots = 0
    var express = 0
    var memory: UInt64 = 0
    for (job, slot) in running.values {
      if slot == .express {
        express += 1
      } else {
        slots += job.cores == .all ? Self.capacity.computeSlots : 1
        memory += min(job.memoryBytes, Self.capacity.memoryBytes)
      }
    }
    mostSlots = max(mostSlots, slots)
    mostExpress = max(mostExpress, express)
    mostMemory = max(mostMemory, memory)
  }

  var started: [Identifier] {
    decisions.compactMap { if case .start(let id, _) = $0 { id } else { nil } }
  }
  var expired: Set<Identifier> {
    Set(decisions.compactMap { if case .expire(let id) = $0 { id } else { nil } })
  }
}

import QubusCore
import Testing

@testable import QubusEngine

@Suite("The fair queue of steps")
struct StepQueueTests {
  @Test(
    "owners that always wait get equal shares, whatever their sessions and the size of their steps",
    arguments: 0..<20)
  func shares(_ round: Int) {
    let seed = UInt64(round) * 7919 + 1
    print("StepQueueTests.shares seed \(seed)")
    var random = SplitMix(state: seed)
    var queue = StepQueue()
    let owners = 2 + Int(random.next() % 4)
    var ownerOf: [Int: Int] = [:]
    var cost: [Int: Double] = [:]
    for owner in 0..<owners {
      let typical = Double(10_000 << (random.next() % 6))
      for _ in 0..<(1 + random.next() % 8) {
        let session = ownerOf.count
        ownerOf[session] = owner
        cost[session] = typical
        queue.arrive(session: session, owner: owner, cost: typical, isSmall: false)
      }
    }
    var used = [Double](repeating: 0, count: owners)
    var total = 0.0
    while total < 1e9 {
      guard let session = queue.take(.any), let owner = ownerOf[session] else { break }
      // What a step takes differs from what was predicted by up to two times.
      let nanoseconds = (cost[session] ?? 0) * (0.5 + 1.5 * random.uniform())
      used[owner] += nanoseconds
      total += nanoseconds
      queue.finish(session: session, nanoseconds: nanoseconds)
      queue.arrive(session: session, owner: owner, cost: cost[session] ?? 0, isSmall: false)
    }
    for owner in used {
      #expect(abs(owner * Double(owners) / total - 1) < 0.1)
    }
  }

  @Test("sessions of one owner share equally")
  func sessions() {
    var queue = StepQueue()
    let costs = [10_000.0, 50_000, 200_000]
    for (session, cost) in costs.enumerated() {
      queue.arrive(session: session, owner: 0, cost: cost, isSmall: false)
    }
    var used = [0.0, 0, 0]
    for _ in 0..<10_000 {
      guard let session = queue.take(.any) else { break }
      used[session] += costs[session]
      queue.finish(session: session, nanoseconds: costs[session])
      queue.arrive(session: session, owner: 0, cost: costs[session], isSmall: false)
    }
    let total = used.reduce(0, +)
    for share in used { #expect(abs(share * 3 / total - 1) < 0.1) }
  }

  @Test("time that an owner did not use is not saved up")
  func noCredit() {
    var queue = StepQueue()
    for _ in 0..<1000 {
      queue.arrive(session: 0, owner: 0, cost: 1000, isSmall: false)
      _ = queue.take(.any)
      queue.finish(session: 0, nanoseconds: 1000)
    }
    // A newcomer takes turns from now on; it does not catch up a thousand steps.
    queue.arrive(session: 0, owner: 0, cost: 1000, isSmall: false)
    queue.arrive(session: 1, owner: 1, cost: 1000, isSmall: false)
    var order: [Int] = []
    for _ in 0..<10 {
      guard let session = queue.take(.any) else { break }
      order.append(session)
      queue.finish(session: session, nanoseconds: 1000)
      queue.arrive(session: session, owner: session, cost: 1000, isSmall: false)
    }
    #expect(abs(order.count { $0 == 0 } - 5) <= 1)
  }

  @Test("small steps are found behind large ones, but not when their owner is far ahead")
  func small() {
    var queue = StepQueue(slackNanoseconds: 1000)
    queue.arrive(session: 0, owner: 0, cost: 100, isSmall: false)
    queue.arrive(session: 1, owner: 1, cost: 600, isSmall: true)
    #expect(queue.take(.small) == 1)
    queue.finish(session: 1, nanoseconds: 600)
    queue.arrive(session: 1, owner: 1, cost: 600, isSmall: true)
    #expect(queue.take(.small) == 1)
    queue.finish(session: 1, nanoseconds: 600)
    queue.arrive(session: 1, owner: 1, cost: 600, isSmall: true)
    #expect(queue.take(.small) == nil)
    #expect(queue.take(.any) == 0)
    #expect(queue.smallCount == 1 && queue.readyCount == 1)
  }

  @Test("what is withdrawn or forgotten does not run, and leaves no trace")
  func forgotten() {
    var queue = StepQueue()
    queue.arrive(session: 0, owner: 0, cost: 1, isSmall: true)
    queue.arrive(session: 1, owner: 0, cost: 1, isSmall: false)
    let first = queue.withdraw(session: 0)
    let second = queue.withdraw(session: 0)
    #expect(first && !second)
    queue.forget(session: 1)
    #expect(queue.take(.any) == nil && queue.readyCount == 0 && queue.smallCount == 0)
    queue.arrive(session: 0, owner: 0, cost: 1, isSmall: true)
    #expect(queue.take(.any) == 0)
  }
}

@Suite("The lease of all sessions")
struct StepLeaseTests {
  @Test("without jobs it is always open")
  func alone() {
    let lease = StepLease(windowMicroseconds: 100, share: 0.5, cores: 2)
    lease.charge(nanoseconds: 1 << 40)
    #expect(lease.isOpen(now: 0, isCompeting: false))
  }

  @Test(
    "with jobs it closes when the window's grant is used, and the next window pays what is over")
  func competing() {
    let lease = StepLease(windowMicroseconds: 100, share: 0.5, cores: 2)
    #expect(lease.isOpen(now: 1000, isCompeting: true))
    lease.charge(nanoseconds: 99_000)
    #expect(lease.isOpen(now: 1050, isCompeting: true))
    lease.charge(nanoseconds: 151_000)
    #expect(!lease.isOpen(now: 1060, isCompeting: true))
    #expect(lease.claimWakeUp(now: 1060) == 40)
    #expect(lease.claimWakeUp(now: 1070) == nil)
    // 250 µs used of 100 a window: open again in the third.
    #expect(!lease.isOpen(now: 1100, isCompeting: true))
    #expect(lease.claimWakeUp(now: 1100) == 100)
    #expect(lease.isOpen(now: 1200, isCompeting: true))
    lease.charge(nanoseconds: 50_000)
    #expect(!lease.isOpen(now: 1210, isCompeting: true))
    // The jobs are gone: so is the debt.
    #expect(lease.isOpen(now: 1220, isCompeting: false))
    #expect(lease.isOpen(now: 1230, isCompeting: true))
  }

  @Test("long steps get no more than their share on average")
  func average() {
    let lease = StepLease(windowMicroseconds: 100, share: 0.25, cores: 1)
    var now: Microseconds = 0
    var used: Microseconds = 0
    while now < 100_000 {
      if lease.isOpen(now: now, isCompeting: true) {
        lease.charge(nanoseconds: 170_000)
        used += 170
        now += 170
      } else {
        now += 10
      }
    }
    #expect(abs(Double(used) / Double(now) - 0.25) < 0.025)
  }
}

/// Numbers that a seed decides.
/// - Source: Steele, Lea, Flood 2014.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }
}

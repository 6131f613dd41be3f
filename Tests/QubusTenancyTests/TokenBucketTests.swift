import QubusCore
import Testing

@testable import QubusTenancy

@Suite("Token buckets")
struct TokenBucketTests {
  @Test("a burst of one second is taken at once, then one after the other")
  func burst() {
    var bucket = TokenBucket(now: 0)
    for _ in 0..<10 { #expect(bucket.take(1, rate: 10, now: 0) == 0) }
    #expect(bucket.take(1, rate: 10, now: 0) == 100_000)
    #expect(bucket.take(1, rate: 10, now: 99_999) == 1)
    #expect(bucket.take(1, rate: 10, now: 100_000) == 0)
    #expect(bucket.take(1, rate: 10, now: 100_000) == 100_000)
  }

  @Test("the time that is named holds to the microsecond, for any rate", arguments: 1...200)
  func retry(seed: UInt64) {
    var random = SplitMix(state: seed)
    let rate = Int64.random(in: 1...(seed % 2 == 0 ? 7 : 2_000_000), using: &random)
    var bucket = TokenBucket(now: 0)
    var now: Microseconds = 0
    for _ in 0..<500 {
      now += Microseconds.random(in: 0...(2_000_000 / rate + 3), using: &random)
      guard let wait = bucket.take(1, rate: rate, now: now) else {
        Issue.record("seed \(seed): never")
        return
      }
      guard wait > 0 else { continue }
      var early = bucket
      #expect(early.take(1, rate: rate, now: now + wait - 1) != 0, "seed \(seed)")
      now += wait
      #expect(bucket.take(1, rate: rate, now: now) == 0, "seed \(seed)")
    }
  }

  @Test("over any time no more is taken than the burst and the rate give", arguments: 1...50)
  func never(seed: UInt64) {
    var random = SplitMix(state: seed)
    let rate = Int64.random(in: 1...1000, using: &random)
    var bucket = TokenBucket(now: 0)
    var (taken, latest, now): (Int64, Microseconds, Microseconds) = (0, 0, 0)
    for _ in 0..<5000 {
      // Now and then somebody sets the clock back.
      now = max(0, now + Microseconds.random(in: -3000...4000, using: &random))
      latest = max(latest, now)
      if bucket.take(1, rate: rate, now: now) == 0 { taken += 1 }
      #expect(taken <= rate + latest * rate / 1_000_000, "seed \(seed)")
    }
  }

  @Test("a clock that goes back refills nothing, and the time that is named still holds")
  func back() {
    var bucket = TokenBucket(now: 1_000_000)
    #expect(bucket.take(1, rate: 1, now: 1_000_000) == 0)
    #expect(bucket.take(1, rate: 1, now: 0) == 2_000_000)
    #expect(bucket.take(1, rate: 1, now: 1_999_999) == 1)
    #expect(bucket.take(1, rate: 1, now: 2_000_000) == 0)
  }

  @Test("of a rate of 0 nothing is ever taken; more than a bucket holds neither")
  func zero() {
    var bucket = TokenBucket(now: 0)
    #expect(bucket.take(1, rate: 0, now: 0) == nil)
    #expect(bucket.take(11, rate: 10, now: 0) == nil)
    #expect(bucket.debtWait(rate: 0, now: 5) == nil)
  }

  @Test("bytes may be owed; what is owed is waited for, without overflow")
  func debt() {
    var bucket = TokenBucket(now: 0)
    bucket.owe(1000, rate: 1000, now: 0)
    #expect(bucket.debtWait(rate: 1000, now: 0) == 0)
    bucket.owe(500, rate: 1000, now: 0)
    #expect(bucket.debtWait(rate: 1000, now: 0) == 500_000)
    #expect(bucket.debtWait(rate: 1000, now: 500_000) == 0)
    bucket.owe(.max, rate: 1000, now: 500_000)
    bucket.owe(.max, rate: 1000, now: 500_000)
    #expect(bucket.debtWait(rate: 1000, now: 500_000).map { $0 > 0 } == true)
    let rate: Int64 = 1_000_000_000_000
    #expect(bucket.take(1, rate: rate, now: .max / 2) == 0)
  }
}

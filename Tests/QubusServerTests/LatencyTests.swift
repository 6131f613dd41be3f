import QubusServer
import Testing

@Suite("Server: latency")
struct LatencyTests {
  /// The budget itself (60 µs from C) is measured by `scripts/bench`, on a machine that does
  /// nothing else; here only a regression by an order of magnitude fails.
  @Test("a health round trip over ipc stays far below a millisecond")
  func health() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let clock = ContinuousClock()
    for _ in 0..<500 { #expect(client.isServed) }
    var times: [Duration] = []
    for _ in 0..<4000 {
      var isServed = false
      times.append(clock.measure { isServed = client.isServed })
      #expect(isServed)
    }
    times.sort()
    print("health over ipc: p50 \(times[2000]), p99 \(times[3960])")
    #expect(times[2000] < .milliseconds(1))
  }
}

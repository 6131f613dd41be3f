import QubusCore
import QubusDevices
import QubusSimulator
import Testing

@Suite("Row result")
struct RowResultTests {
  @Test("canonical bytes are as documented")
  func layout() {
    var result = RowResult()
    var counts = Counts(bitCount: 2)
    counts.keys = [0, 3]
    counts.values = [5, 0x0102]
    result.counts = counts
    result.memory = [7]
    result.expectationValues = [1.0]
    func number(_ low: UInt8, _ high: UInt8 = 0) -> [UInt8] { [low, high, 0, 0, 0, 0, 0, 0] }
    var expected: [UInt8] = [1, 1] + number(2) + number(2)
    expected += number(0) + number(5) + number(3) + number(2, 1)
    expected += [2] + number(1) + [7] + [5] + number(1)
    expected += [0, 0, 0, 0, 0, 0, 0xF0, 0x3F]
    #expect(result.canonicalBytes == expected)
  }

  @Test("time and drift are not in the bytes, and every item is")
  func content() {
    var result = RowResult()
    let empty = result.canonicalBytes
    result.deviceMicroseconds = 99
    result.normDrift = 1e-12
    #expect(result.canonicalBytes == empty)
    var seen: Set<[UInt8]> = [empty]
    result.probabilities = [0.5]
    #expect(seen.insert(result.canonicalBytes).inserted)
    result.probabilities = nil
    result.stateVector = [0.5]
    #expect(seen.insert(result.canonicalBytes).inserted)
    result.stateVector = nil
    result.expectationValues = [0.5]
    #expect(seen.insert(result.canonicalBytes).inserted)
    result.expectationValues = [-0.5]
    #expect(seen.insert(result.canonicalBytes).inserted)
  }
}

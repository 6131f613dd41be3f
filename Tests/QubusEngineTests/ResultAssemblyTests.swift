import QubusCircuit
import QubusCompiler
import QubusCore
import QubusDevices
import QubusJobs
import QubusSimulator
import Testing

@testable import QubusEngine

@Suite("Putting results together") struct ResultAssemblyTests {
  /// 300,000 outcomes of 70 bits.
  static let row: RowResult = {
    var row = RowResult()
    var counts = Counts(bitCount: 70)
    for outcome in 0..<UInt64(300_000) {
      counts.keys += [outcome &* 0x9E37_79B9, outcome / 5000]
      counts.values.append(outcome % 7 + 1)
    }
    row.counts = counts
    row.memory = [UInt8](repeating: 3, count: 5 << 20)
    row.probabilities = [Double](repeating: 0.25, count: 1 << 18)
    return row
  }()

  private func pub() throws -> PreparedPub {
    let program = try ToyPrograms.cache().program(Array("2 70".utf8))
    return PreparedPub(
      program: program, parameters: [], shape: [], rows: 1, observables: [], observablesShape: [],
      expectationShape: [], shots: 1, outputs: [.counts, .memory, .probabilities],
      targetPrecision: nil,
      estimate: ResourceEstimate(
        memoryBytes: 0, rowSeconds: 0, shotSeconds: 0, isPerShot: false, shotsPerChunk: 1))
  }

  private func assembled(
    _ flag: CancellationFlag?, partial: Bool = false
  ) throws -> (manifest: ResultManifest, data: [[UInt8]]) {
    var assembly = ResultAssembly([try pub()])
    try assembly.add(Self.row, pub: 0, row: 0, positions: [], flag)
    if partial { assembly.keepCountsOnly() }
    return try assembly.finish(
      jobID: Identifier(high: 0, low: 1), attempt: 1, shotsDone: 1, flag)
  }

  @Test("the flag is looked at every few hundred kilobytes")
  func looks() throws {
    let flag = CancellationFlag(afterLooks: 1 << 30)
    let (_, data) = try assembled(flag)
    let looks = 1 << 30 - flag.remainingLooks
    let bytes = data.reduce(0) { $0 + $1.count }
    #expect(bytes > 13 << 20)
    #expect(looks > bytes >> 19)
  }

  @Test("a cancel at any look stops it, and the counts can still be kept as a whole")
  func anywhere() throws {
    let counting = CancellationFlag(afterLooks: 1 << 30)
    _ = try assembled(counting)
    let looks = 1 << 30 - counting.remainingLooks
    let kept = try assembled(nil, partial: true)
    for look in stride(from: 0, to: looks, by: 23) {
      let flag = CancellationFlag(afterLooks: look)
      var assembly = ResultAssembly([try pub()])
      var isAdded = false
      let error = #expect(throws: QubusError.self) {
        try assembly.add(Self.row, pub: 0, row: 0, positions: [], flag)
        isAdded = true
        _ = try assembly.finish(
          jobID: Identifier(high: 0, low: 1), attempt: 1, shotsDone: 1, flag)
      }
      #expect(error?.code == .executionCanceled)
      if !isAdded {
        // Nothing of its counts is there yet; the job's end adds them without a flag.
        var counts = RowResult()
        counts.counts = Self.row.counts
        try assembly.add(counts, pub: 0, row: 0, positions: [], nil)
      }
      assembly.keepCountsOnly()
      let (manifest, data) = try assembly.finish(
        jobID: Identifier(high: 0, low: 1), attempt: 1, shotsDone: 1, nil)
      #expect(manifest.isPartial && manifest.items == kept.manifest.items)
      #expect(data == kept.data, "canceled at look \(look) of \(looks)")
    }
  }

  @Test("pieces of a row's canonical form are the canonical bytes")
  func pieces() throws {
    let bytes = Self.row.canonicalBytes
    #expect(bytes.count == 1 + 17 + 24 * 300_000 + 9 + 5 << 20 + 9 + 8 << 18)
    var hash = ExecutionHash()
    try hash.add(Self.row, pub: 0, row: 0, nil)
    var canceled = ExecutionHash()
    #expect(throws: QubusError.self) {
      try canceled.add(Self.row, pub: 0, row: 0, CancellationFlag(afterLooks: 3))
    }
    try canceled.add(Self.row, pub: 0, row: 0, nil)
    #expect(hash.digest() == canceled.digest())
  }

  @Test("sums of histograms lose nothing when they are canceled")
  func accumulator() throws {
    var accumulator = CountsAccumulator(bitCount: 20)
    var looks = 0
    for part in 0..<UInt64(6) {
      var counts = Counts(bitCount: 20)
      counts.keys = (0..<20_000).map { 3 * $0 + part }
      counts.values = counts.keys.map { $0 % 3 + 1 }
      accumulator.add(counts)
      while true {
        do throws(QubusError) {
          try accumulator.settle(CancellationFlag(afterLooks: looks))
          break
        } catch {
          #expect(error.code == .executionCanceled)
          looks += 1
        }
      }
    }
    #expect(looks > 3)
    var expected: [UInt64: UInt64] = [:]
    for part in 0..<UInt64(6) {
      for index in 0..<UInt64(20_000) {
        expected[3 * index + part, default: 0] += (3 * index + part) % 3 + 1
      }
    }
    let total = try accumulator.total(nil)
    #expect(total.keys == expected.keys.sorted())
    #expect(total.values == expected.keys.sorted().map { expected[$0] ?? 0 })
  }

  @Test("a partial histogram has the most frequent outcomes, equal ones in ascending order")
  func partial() {
    var counts = Counts(bitCount: 12)
    counts.keys = (0..<4000).map { $0 }
    counts.values = counts.keys.map { $0 * 7 % 5 + 1 }
    let partial = counts.partial(pub: 0, row: 0, shots: 9)
    let order = counts.values.indices.sorted {
      counts.values[$0] != counts.values[$1] ? counts.values[$0] > counts.values[$1] : $0 < $1
    }
    #expect(partial.isTruncated && partial.entries.count == 1024)
    #expect(partial.entries.map(\.1) == order.prefix(1024).map { counts.values[$0] })
    #expect(partial.entries.map(\.0) == order.prefix(1024).map { counts.bitString(at: $0) })
  }
}

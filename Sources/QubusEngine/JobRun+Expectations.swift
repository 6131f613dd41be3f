internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore
internal import QubusDevices
internal import QubusJobs
internal import QubusSimulator

/// Many rows of exact expectation values and nothing else: the device takes them in batches.
extension JobRun {
  /// What one batch should take.
  private static let batchMicroseconds: Microseconds = 20_000
  private static let mostRows = 8192
  private static let firstRows = 256
  private static let mostNumbers = 1 << 20

  /// - Returns: false when the rows must run in another way; nothing has run then.
  func runExpectations(_ pub: PreparedPub, _ index: UInt16) throws(QubusError) -> Bool {
    guard pub.rows > 1, pub.program.circuit.qubitCount <= prepared.device.ownRowQubits else {
      return false
    }
    let places = pub.observablesByRow()
    // Rows that differ in their observables run one by one.
    let own = places[0].map(\.observable)
    for place in places where !place.lazy.map(\.observable).elementsEqual(own) { return false }
    let inputs = RowInputs(pub)
    try poll()
    guard
      let rows = try session(pub, team).rows(
        like: try inputs.values(row: 0), own.map { pub.observables[$0] })
    else { return false }
    let width = max(own.count, pub.parameters.count, 1)
    let most = max(1, min(Self.mostRows, Self.mostNumbers / width))
    var batch = min(Self.firstRows, most)
    var (numbers, values) = ([Double](), [Double]())
    var first = 0
    while first < pub.rows {
      try poll()
      let range = first..<min(first + batch, pub.rows)
      let start = engine.clock.monotonic()
      numbers.removeAll(keepingCapacity: true)
      inputs.append(range, to: &numbers)
      values = [Double](repeating: 0, count: range.count * own.count)
      let drift = try rows.run(numbers, rows: range.count, into: &values)
      let elapsed = engine.clock.monotonic() - start
      used(elapsed)
      for row in range {
        var result = RowResult()
        let place = (row - first) * own.count
        result.expectationValues = Array(values[place..<place + own.count])
        if row == first {
          // Of the whole batch.
          result.normDrift = drift
          result.planHashes = [rows.planHash]
        }
        try finish(result, index, row, places[row].map(\.position))
      }
      first = range.upperBound
      if elapsed < Self.batchMicroseconds / 2 { batch = min(most, 2 * batch) }
      if first < pub.rows { report() }
    }
    return true
  }
}

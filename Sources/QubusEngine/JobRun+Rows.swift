internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore
internal import QubusDevices
internal import QubusJobs
internal import QubusSimulator

/// Many rows of a small circuit: each thread takes rows of its own. A row's bits do not depend on
/// that, and rows enter the result in their order.
extension JobRun {
  /// Rows handed out together: enough for tens of milliseconds, few enough to report between.
  private static let mostRows = 4096
  private static let batchMicroseconds: Microseconds = 20_000
  /// Results that wait for their turn.
  private static let batchBytes: UInt64 = 64 << 20
  /// Rows that a thread takes at a time.
  private static let grain = 4

  /// True when every row is one small piece of work.
  func runsTogether(_ pub: PreparedPub) -> Bool {
    pub.rows >= 2 * team.threadCount && pub.shots <= pub.estimate.shotsPerChunk
      && pub.program.circuit.qubitCount <= prepared.device.ownRowQubits
  }

  func runTogether(_ pub: PreparedPub, _ index: UInt16) throws(QubusError) {
    let observables = pub.observablesByRow()
    let work = RowWork(
      pub, index, observables.map { $0.map(\.observable) },
      sessions: (0..<team.threadCount).map { _ in session(pub, ComputeTeam(threadCount: 1)) },
      self)
    let bytesPerRow = max(1, pub.resultBytes / UInt64(pub.rows))
    let mostRows = min(Self.mostRows, max(team.threadCount, Int(Self.batchBytes / bytesPerRow)))
    var batch = min(mostRows, 4 * team.threadCount)
    var first = 0
    while first < pub.rows {
      try poll()
      let rows = first..<min(first + batch, pub.rows)
      let start = engine.clock.monotonic()
      let results = work.run(rows, team, grain: Self.grain)
      let elapsed = engine.clock.monotonic() - start
      used(elapsed)
      for (row, result) in zip(rows, results) {
        try finish(try result.get(), index, row, observables[row].map(\.position))
        shotsDone(pub.shots)
      }
      first = rows.upperBound
      if elapsed < Self.batchMicroseconds / 2 { batch = min(mostRows, 2 * batch) }
      if first < pub.rows { report() }
    }
  }
}

/// The rows of a pub and who works on them.
private struct RowWork {
  private let pub: PreparedPub
  private let index: UInt16
  private let observables: [[Int]]
  private let inputs: RowInputs
  /// One for each thread.
  private let sessions: [any DeviceSession]
  private let request: ChunkRequest
  private let flag: CancellationFlag

  init(
    _ pub: PreparedPub, _ index: UInt16, _ observables: [[Int]], sessions: [any DeviceSession],
    _ run: JobRun
  ) {
    self.pub = pub
    self.index = index
    self.observables = observables
    self.sessions = sessions
    inputs = RowInputs(pub)
    request = ChunkRequest(
      jobID: run.job.id, attempt: run.record.attempt, lease: 0, pub: index, row: 0,
      work: .shots(first: 0, count: 0, memory: false))
    flag = run.job.flag
  }

  /// - Returns: what became of each row; rows behind the setting of the flag are canceled.
  func run(
    _ rows: Range<Int>, _ team: ComputeTeam, grain: Int
  ) -> [Result<RowResult, QubusError>] {
    let canceled = QubusError(.executionCanceled, "the execution was canceled")
    let results = Lock(
      [Result<RowResult, QubusError>](repeating: .failure(canceled), count: rows.count))
    let tasks = (rows.count + grain - 1) / grain
    team.run(tasks: tasks) { task, lane in
      let start = task * grain
      for place in start..<min(start + grain, rows.count) {
        if flag.isCanceled { return }
        let result = Result { () throws(QubusError) in
          try row(rows.lowerBound + place, sessions[lane])
        }
        results.withLock { $0[place] = result }
      }
    }
    return results.withLock { $0 }
  }

  private func row(
    _ row: Int, _ session: any DeviceSession
  ) throws(QubusError) -> RowResult {
    let execution = try session.open(inputs: try inputs.values(row: row))
    var request = request
    request.row = UInt32(row)
    var result = RowResult()
    if pub.wantsExact {
      request.work = .exact(pub.exactOutputs(observables[row]))
      result.merge(try execution.run(request))
    }
    if pub.shots > 0 {
      let memory = pub.outputs.contains(.memory)
      request.work = .shots(first: 0, count: pub.shots, memory: memory)
      var chunk = try execution.run(request)
      if !pub.outputs.contains(.counts) { chunk.counts = nil }
      result.merge(chunk)
    }
    return result
  }
}

package import QubusCore
internal import QubusJobs
internal import QubusSimulator
internal import QubusTenancy

extension Engine: JobService {
  package func replay(
    _ id: Identifier, context: CallContext,
    completion: @escaping @Sendable (Result<SubmitReport, QubusError>) -> Void
  ) {
    let isTaken = compilePool.submit { [self] _ in
      do throws(QubusError) {
        submit(try replaySubmission(of: id, context, completion))
      } catch {
        completion(.failure(error))
      }
    }
    if !isTaken { completion(.failure(isStopping ? .shuttingDown : .compileQueueFull)) }
  }

  private func replaySubmission(
    of id: Identifier, _ context: CallContext, _ completion: @escaping SubmitCompletion
  ) throws(QubusError) -> Submission {
    // The same bits come out again: whoever has them replayed reads the result.
    let record = try record(id, .readResults, context)
    guard record.status.isTerminal else {
      throw QubusError(
        .resultNotReady, "job \(id) is \(record.status.word); a replay needs its result",
        details: ["status": record.status.word])
    }
    guard record.hasResult, record.status == .succeeded else {
      throw QubusError(
        .jobNotReplayable, "job \(id) is \(record.status.word), so there is nothing to compare with"
      )
    }
    var spec = try codec.decodeRequest(record.request)
    spec.idempotencyKey = ""
    spec.execution.seed = record.seed
    spec.execution.device = record.device
    // The original's time to live says nothing of its replay.
    spec.execution.ttlSeconds = nil
    spec.execution.deadlineSeconds = nil
    // Nor do the jobs that it waited for.
    spec.after = []
    spec.afterOK = []
    return Submission(
      spec: spec, request: codec.encode(spec), context: context, replayOf: id,
      completion: completion)
  }

  package func compareReplay(
    _ id: Identifier, replay replayID: Identifier, context: CallContext
  ) throws(QubusError) -> ReplayReport {
    let original = try record(id, .readResults, context)
    let replay = try record(replayID, .readResults, context)
    guard replay.replayOf == id else {
      throw .field(.invalidRequest, "replay", "job \(replayID) is no replay of \(id)")
    }
    guard let (manifest, provenance) = try store.result(original.id) else {
      throw QubusError(.jobNotReplayable, "job \(id) has no result")
    }
    var report = ReplayReport(
      replay: view(replay), outcome: .pending, originalHash: manifest.executionHash,
      replayHash: [], explanation: "the replay is \(replay.status.word)")
    guard replay.status.isTerminal else { return report }
    guard replay.status == .succeeded, let (again, newer) = try store.result(replayID) else {
      report.outcome = .notComparable
      report.explanation =
        "the replay is \(replay.status.word)" + (replay.error.map { ": \($0.message)" } ?? "")
      return report
    }
    report.replayHash = again.executionHash
    let isSameMachine =
      provenance.engineVersion == newer.engineVersion
      && provenance.instructionSet == newer.instructionSet
      && provenance.compilerVersion == newer.compilerVersion
      && provenance.planning == newer.planning
    if manifest.executionHash == again.executionHash {
      report.outcome = .identical
      report.explanation = "every bit of the results is equal"
    } else if isSameMachine {
      report.outcome = .mismatch
      report.explanation = "same program, seed and engine gave other bits: please report this"
    } else {
      report.outcome = .notComparable
      report.explanation =
        "engine \(provenance.engineVersion) (\(provenance.instructionSet)) and engine "
        + "\(newer.engineVersion) (\(newer.instructionSet)) need not give the same bits"
    }
    if report.outcome != .identical {
      report.totalVariationDistance = try distance(id, manifest, replayID, again)
    }
    return report
  }

  /// The largest total variation distance between the counts of a row and its replay; nil without
  /// counts.
  private func distance(
    _ a: Identifier, _ first: ResultManifest, _ b: Identifier, _ second: ResultManifest
  ) throws(QubusError) -> Double? {
    var largest: Double?
    for pub in first.pubs {
      guard
        let x = try StoredCounts(a, first, pub.pub, store),
        let y = try StoredCounts(b, second, pub.pub, store), x.rows == y.rows
      else { continue }
      for row in 0..<x.rows {
        largest = max(largest ?? 0, x.distribution(row: row).distance(to: y.distribution(row: row)))
      }
    }
    return largest
  }
}

/// Counts of a pub read back from the store.
private struct StoredCounts {
  private let words: Int
  private let keys: [UInt64]
  private let values: [UInt64]
  private let offsets: [UInt64]

  var rows: Int { max(0, offsets.count - 1) }

  init?(
    _ id: Identifier, _ manifest: ResultManifest, _ pub: UInt32, _ store: any JobStore
  ) throws(QubusError) {
    func read(_ name: String) throws(QubusError) -> [UInt64]? {
      guard let index = manifest.items.firstIndex(where: { $0.name == name && $0.pub == pub })
      else { return nil }
      var bytes: [UInt8] = []
      for chunk in manifest.items[index].chunks.indices {
        bytes += try store.resultChunk(id, item: index, chunk: chunk)
      }
      return stride(from: 0, to: bytes.count - 7, by: 8).map { start in
        (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[start + $1]) << UInt64(8 * $1) }
      }
    }
    guard let keys = try read("counts.keys"), let values = try read("counts.values"),
      let offsets = try read("counts.offsets"),
      let summary = manifest.pubs.first(where: { $0.pub == pub })
    else { return nil }
    self.keys = keys
    self.values = values
    self.offsets = offsets
    words = max(1, (Int(summary.bitCount) + 63) / 64)
  }

  func distribution(row: Int) -> [[UInt64]: Double] {
    let range = Int(offsets[row])..<Int(offsets[row + 1])
    let total = Double(values[range].reduce(0, +))
    var result: [[UInt64]: Double] = [:]
    for index in range where total > 0 {
      result[Array(keys[index * words..<(index + 1) * words])] = Double(values[index]) / total
    }
    return result
  }
}

extension [[UInt64]: Double] {
  /// Total variation distance of two distributions: 0 is equal, 1 is disjoint.
  fileprivate func distance(to other: Self) -> Double {
    let outcomes = Set(keys).union(other.keys)
    return outcomes.reduce(0) { $0 + abs((self[$1] ?? 0) - (other[$1] ?? 0)) } / 2
  }
}

extension Provenance {
  /// Options that decide how a program is planned, the plans themselves left out: under the same
  /// options another plan is a fault.
  fileprivate var planning: [String: String] {
    compileOptions.filter { !$0.key.hasPrefix("plan.") }
  }
}

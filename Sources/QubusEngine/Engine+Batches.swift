package import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// Jobs that were submitted together.
extension Engine {
  package func newBatch() -> Identifier { identifiers.next() }

  package func cancelBatch(
    _ batch: Identifier, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<BatchCancelReport, QubusError>) -> Void
  ) {
    guard reason.utf8.count <= SpecValidation.textBytes else {
      return completion(
        .failure(
          .field(
            .invalidRequest, "reason", "has \(reason.utf8.count) bytes",
            limit: "\(SpecValidation.textBytes) bytes")))
    }
    let isTaken = compilePool.submit { [self] _ in
      do throws(QubusError) {
        cancel(try jobs(of: batch, context), reason, context, completion)
      } catch {
        completion(.failure(error))
      }
    }
    if !isTaken { completion(.failure(isStopping ? .shuttingDown : .compileQueueFull)) }
  }

  /// The newest first: those that wait are gone before the end of one that runs gives them a slot.
  /// - Throws: `job_not_found`, as for a batch that does not exist, when the caller may not know of
  ///   its jobs, whose owner is one; `permission_denied`.
  private func jobs(
    of batch: Identifier, _ context: CallContext
  ) throws(QubusError) -> [JobRecord] {
    var filter = JobFilter()
    filter.batch = batch
    filter.limit = configuration.limits.batchItems
    let records = try store.jobs(filter)
    let absent = QubusError.field(
      .jobNotFound, "batch_id", "no batch \(batch) is visible to you")
    guard !records.isEmpty else { throw absent }
    let now = clock.now()
    for record in records {
      try context.identity.check(
        .cancelJobs, on: record.principal.resource, now: now, hidden: absent)
    }
    return records
  }

  private func cancel(
    _ records: [JobRecord], _ reason: String, _ context: CallContext,
    _ completion: @escaping @Sendable (Result<BatchCancelReport, QubusError>) -> Void
  ) {
    let tally = BatchTally(count: records.count, completion)
    for record in records {
      // Their ends are written as any others are: behind a bounded number of changes.
      writesUnderWay.wait { $0 < configuration.writesUnderWay ? () : nil }
      guard !record.status.isTerminal else {
        tally.add(.success(.tooLate))
        continue
      }
      cancel(record.id, reason: reason, context: context) { result in
        tally.add(result.map(\.outcome))
      }
    }
  }
}

/// Counts what became of the jobs of a batch, and answers after the last.
private final class BatchTally: Sendable {
  private struct State: Sendable {
    var missing: Int
    var report = BatchCancelReport()
    var failure: QubusError?
  }
  private let state: Lock<State>
  private let completion: @Sendable (Result<BatchCancelReport, QubusError>) -> Void

  init(
    count: Int, _ completion: @escaping @Sendable (Result<BatchCancelReport, QubusError>) -> Void
  ) {
    state = Lock(State(missing: count))
    self.completion = completion
  }

  func add(_ result: Result<CancelOutcome, QubusError>) {
    let done = state.withLock { state -> Result<BatchCancelReport, QubusError>? in
      state.missing -= 1
      switch result {
      case .success(.beforeStart): state.report.beforeStart += 1
      case .success(.duringRun): state.report.duringRun += 1
      case .success(.tooLate): state.report.tooLate += 1
      case .failure(let error): state.failure = state.failure ?? error
      }
      guard state.missing == 0 else { return nil }
      return state.failure.map { .failure($0) } ?? .success(state.report)
    }
    if let done { completion(done) }
  }
}

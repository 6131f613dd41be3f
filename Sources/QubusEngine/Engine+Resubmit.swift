package import QubusCore
internal import QubusJobs
internal import QubusTenancy

extension Engine {
  package func resubmit(
    _ id: Identifier, idempotencyKey: String, context: CallContext,
    completion: @escaping @Sendable (Result<SubmitReport, QubusError>) -> Void
  ) {
    let isTaken = compilePool.submit { [self] _ in
      do throws(QubusError) {
        submit(try resubmission(of: id, idempotencyKey, context, completion))
      } catch {
        completion(.failure(error))
      }
    }
    if !isTaken { completion(.failure(isStopping ? .shuttingDown : .compileQueueFull)) }
  }

  /// The request as it was, with another key, and waiting for nobody: a seed that was asked for is
  /// used again, another one is drawn anew.
  private func resubmission(
    of id: Identifier, _ key: String, _ context: CallContext,
    _ completion: @escaping SubmitCompletion
  ) throws(QubusError) -> Submission {
    // What comes out may be what came out before: whoever has it run again reads results.
    let record = try record(id, .readResults, context)
    guard record.status.isTerminal else {
      throw QubusError(
        .illegalTransition,
        "job \(id) is \(record.status.word); it can be submitted again when it has ended",
        details: ["status": record.status.word])
    }
    var spec = try codec.decodeRequest(record.request)
    spec.idempotencyKey = key
    spec.after = []
    spec.afterOK = []
    return Submission(
      spec: spec, request: codec.encode(spec), context: context, resubmitOf: id,
      completion: completion)
  }
}

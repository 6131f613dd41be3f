internal import Dispatch

/// Runs a blocking call away from the cooperative pool.
private func blocking<Value: Sendable>(
  _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    DispatchQueue.global().async { continuation.resume(with: Swift.Result(catching: body)) }
  }
}

extension Client {
  /// As the blocking form, without blocking the caller's thread.
  public func submit(_ spec: JobSpec, timeout: Duration = .seconds(30)) async throws -> Job {
    try await blocking { () throws in try self.submit(spec, timeout: timeout) }
  }
}

extension Job {
  /// As the blocking form, without blocking the caller's thread.
  public func wait(timeout: Duration? = nil) async throws -> JobStatus {
    try await blocking { () throws in try self.wait(timeout: timeout) }
  }

  /// As the blocking form, without blocking the caller's thread.
  public func result(timeout: Duration? = nil) async throws -> JobResult {
    try await blocking { () throws in try self.result(timeout: timeout) }
  }

  /// As the blocking form, without blocking the caller's thread.
  public func status(timeout: Duration = .seconds(30)) async throws -> JobStatus {
    try await blocking { () throws in try self.status(timeout: timeout) }
  }
}

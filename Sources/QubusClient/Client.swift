internal import CQubus

/// A connection to `qubusd`.
///
/// ```swift
/// let client = try Client()
/// let job = try client.submit(JobSpec(program: source, shots: 1024, seed: 7))
/// let result = try job.result(timeout: .seconds(30))
/// print(try result.counts())            // ["00": 509, "11": 515]
/// ```
///
/// Every call may be made from any thread. Calls block the calling thread; the `async` forms wait
/// on a thread of their own.
public final class Client: Sendable {
  let handle: Handle

  /// Version of the library that is loaded, for example "0.1.0".
  public static var version: String { String(cString: qubus_version()) }

  /// Connects and exchanges HELLO.
  /// - Parameters:
  ///   - endpoint: for example `ipc:///run/qubus/qubus.sock`; nil: `QUBUS_ENDPOINT`, then the
  ///     default sockets.
  ///   - name: shown in provenance beside the version.
  ///   - connectTimeout: how long to wait for the daemon.
  ///   - credentials: keys for `curve://host:port`, and a token.
  /// - Throws: `connection_failed`, `unauthenticated`, `invalid_key`,
  ///   `unsupported_protocol_version`, `abi_mismatch`, `invalid_argument`.
  public init(
    endpoint: String? = nil, name: String = "qubus-swift", connectTimeout: Duration = .seconds(5),
    credentials: Credentials = Credentials()
  ) throws(ClientError) {
    var options = qubus_client_options()
    options.struct_size = UInt32(MemoryLayout<qubus_client_options>.size)
    options.abi_version = UInt32(QUBUS_ABI_VERSION)
    options.connect_timeout_milliseconds = connectTimeout.milliseconds
    options.call_timeout_milliseconds = Int64.min
    options.reconnect_minimum_milliseconds = Int64.min
    options.reconnect_maximum_milliseconds = Int64.min
    options.stream_credit_bytes = Int64.min
    options.submit_retries = Int64.min
    let strings = CStrings()
    options.endpoint = try strings.copy(endpoint, as: "endpoint")
    options.client_name = try strings.copy(name, as: "name")
    try credentials.fill(&options, strings)
    handle = try Handle.make(release: { qubus_client_free($0) }) { out, error in
      qubus_client_open(&options, out, error)
    }
    withExtendedLifetime(strings) {}
  }

  /// The endpoint in use.
  public var endpoint: String { String(cString: qubus_client_endpoint(handle.pointer)) }

  /// Ends the connection: pending calls end with `client_closed`.
  public func close() { _ = qubus_client_close(handle.pointer) }

  /// Round trip to the server.
  public func ping(timeout: Duration = .seconds(30)) throws(ClientError) {
    try callLibrary { qubus_client_ping(handle.pointer, timeout.milliseconds, $0) }
  }

  /// Submits a job and waits for its durable acknowledgement, not for its execution. After a lost
  /// connection the submit is sent again under its idempotency key, so it never makes two jobs.
  public func submit(_ spec: JobSpec, timeout: Duration = .seconds(30)) throws(ClientError) -> Job {
    let memory = SpecificationMemory()
    var specification = try memory.specification(spec)
    let job = try Handle.make(release: { qubus_job_free($0) }) { out, error in
      qubus_job_submit(handle.pointer, &specification, timeout.milliseconds, nil, 0, out, error)
    }
    withExtendedLifetime(memory) {}
    return Job(job, client: self)
  }

  /// Submits many jobs in one message; each is accepted or refused by itself, in order.
  public func submit(
    _ specs: [JobSpec], timeout: Duration = .seconds(30)
  ) throws(ClientError) -> [Swift.Result<Job, ClientError>] {
    let memory = SpecificationMemory()
    var specifications: [qubus_job_spec] = []
    for spec in specs { specifications.append(try memory.specification(spec)) }
    var jobs = [OpaquePointer?](repeating: nil, count: specs.count)
    var template = qubus_error()
    template.struct_size = UInt32(MemoryLayout<qubus_error>.size)
    template.retry_after_milliseconds = Int64.min
    var errors = [qubus_error](repeating: template, count: specs.count)
    try callLibrary {
      qubus_job_submit_batch(
        handle.pointer, specifications, UInt64(specs.count), timeout.milliseconds, &jobs, &errors,
        $0)
    }
    withExtendedLifetime(memory) {}
    return zip(jobs, errors).map { pointer, error in
      guard let pointer else { return .failure(ClientError(code: error.code, details: error)) }
      return .success(Job(Handle(pointer, release: { qubus_job_free($0) }), client: self))
    }
  }

  /// Dry run: validity, memory, time and lane (message PlanResponse). Nothing is stored.
  public func plan(
    _ spec: JobSpec, timeout: Duration = .seconds(30)
  ) throws(ClientError) -> JSONValue {
    let memory = SpecificationMemory()
    var specification = try memory.specification(spec)
    let answer = try text {
      qubus_client_plan(handle.pointer, &specification, timeout.milliseconds, $0, $1)
    }
    withExtendedLifetime(memory) {}
    return try json(answer)
  }

  /// A handle on a job by its id. Does not ask the server.
  public func job(_ id: String) throws(ClientError) -> Job {
    Job(
      try Handle.make(release: { qubus_job_free($0) }) { out, error in
        id.withCString { qubus_job_attach(handle.pointer, $0, out, error) }
      }, client: self)
  }
}

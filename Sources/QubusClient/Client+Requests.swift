internal import CQubus

/// The answer of a method as JSON with the field names of `proto/`.
func json(_ text: String) throws(ClientError) -> JSONValue {
  do {
    return try JSONValue(parsing: text)
  } catch {
    throw ClientError(code: QUBUS_E_PROTOCOL_ERROR, message: "the answer is \(error)")
  }
}

extension Client {
  /// One page of jobs, newest first (message ListJobsResponse).
  /// - Parameters:
  ///   - statuses: the lifecycle's words; empty: all.
  ///   - tags: all must be present.
  ///   - pageToken: `next_page_token` of the page before; empty: the first page.
  public func jobs(
    statuses: [String] = [], tags: [String] = [], name: String? = nil, batch: String? = nil,
    pageSize: Int = 100, pageToken: String = ""
  ) throws(ClientError) -> JSONValue {
    var arguments = [("page_size", String(pageSize))]
    if !statuses.isEmpty { arguments.append(("statuses", statuses.joined(separator: ","))) }
    if !tags.isEmpty { arguments.append(("tags", tags.joined(separator: ","))) }
    if let name { arguments.append(("name", name)) }
    if let batch { arguments.append(("batch_id", batch)) }
    if !pageToken.isEmpty { arguments.append(("page_token", pageToken)) }
    return try request(QUBUS_METHOD_LIST_JOBS, arguments: arguments)
  }

  /// The devices and what they can do (message ListDevicesResponse).
  public func devices() throws(ClientError) -> JSONValue {
    try request(QUBUS_METHOD_LIST_DEVICES)
  }

  /// One device (message GetDeviceResponse).
  public func device(_ name: String) throws(ClientError) -> JSONValue {
    try request(QUBUS_METHOD_GET_DEVICE, subject: name)
  }

  /// State and load of the daemon (message HealthResponse).
  public func health() throws(ClientError) -> JSONValue { try request(QUBUS_METHOD_HEALTH) }

  /// Versions of the daemon (message VersionResponse).
  public func serverVersion() throws(ClientError) -> JSONValue { try request(QUBUS_METHOD_VERSION) }

  /// Every error the daemon knows (message ErrorCatalogueResponse).
  public func errorCatalogue() throws(ClientError) -> JSONValue {
    try request(QUBUS_METHOD_ERROR_CATALOGUE)
  }

  /// Versions, features, limits, and whom the server takes this client for (message HelloResponse).
  public func hello() throws(ClientError) -> JSONValue { try request(QUBUS_METHOD_HELLO) }

  /// Any method of `proto/` that sends one message and gets one, for example `CreateTenant`.
  /// - Parameter request: the request's fields, named as in `proto/`; see `qubus_call_json_start`.
  /// - Throws: `invalid_argument` naming the field, before anything is sent; else what the server
  ///   answers.
  public func call(
    _ method: String, _ request: JSONValue = .object([]), timeout: Duration = .seconds(30)
  ) throws(ClientError) -> JSONValue {
    let strings = CStrings()
    let name = try strings.copy(method, as: "method")
    let body = strings.copy(request.description)
    let answer = try text {
      qubus_client_call_json(handle.pointer, name, body, timeout.milliseconds, $0, $1)
    }
    withExtendedLifetime(strings) {}
    return try json(answer)
  }

  func request(
    _ method: Int32, subject: String? = nil, arguments: [(name: String, value: String)] = [],
    timeout: Duration = .seconds(30)
  ) throws(ClientError) -> JSONValue {
    let strings = CStrings()
    let list = arguments.map {
      qubus_argument(name: strings.copy($0.name), value: strings.copy($0.value))
    }
    let subject = subject.map { strings.copy($0) }
    let answer = try text {
      qubus_client_request(
        handle.pointer, method, subject, list, UInt64(list.count), timeout.milliseconds, $0, $1)
    }
    withExtendedLifetime(strings) {}
    return try json(answer)
  }
}

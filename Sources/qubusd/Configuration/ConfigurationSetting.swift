internal import Glibc
internal import Logging
internal import QubusCore
internal import QubusEngine
internal import QubusScheduler
internal import QubusServer
internal import QubusTenancy

/// Everything that can be set, with its names and its rule. The one table of the configuration:
/// flags, environment, file and documentation follow it.
enum ConfigurationSetting: String, CaseIterable, Sendable {
  case dataDirectory = "data_dir"
  case listen
  case socketGroup = "socket_group"
  case localUsers = "local_users"
  case masterKeyFile = "master_key_file"
  case masterKeyCommand = "master_key_command"
  case threads
  case memoryLimit = "memory_limit"
  case weight
  case sessionLimit = "session_limit"
  case sessionLimitPerPrincipal = "session_limit_per_principal"
  case sessionMemory = "session_memory"
  case sessionShare = "session_share"
  case stepInPlace = "step_in_place"
  case keepAwake = "keep_awake"
  case resultRetention = "result_retention"
  case eventRetention = "event_retention"
  case auditRetention = "audit_retention"
  case logLevel = "log_level"
  case logFormat = "log_format"

  /// What the file may hold for a key.
  enum Kind: String {
    case text = "a string"
    case list = "a string or an array of strings"
    case integer = "an integer"
    case size = "an integer or a string such as \"4GiB\""
  }

  struct Failure: Error {
    let message: String

    init(message: String) { self.message = message }

    /// What is wrong with the value, without the field, which its source names in its own way.
    init(_ error: QubusError) {
      guard let violation = error.violations.first else {
        message = error.message
        return
      }
      let limit = violation.limit.isEmpty ? "" : " (limit: \(violation.limit))"
      message = violation.explanation + limit
    }
  }

  static let threadLimit = 1024
  static let memoryMinimum: UInt64 = 1 << 20
  static let sessionCountLimit = 1_000_000
  /// Microseconds.
  static let stepInPlaceLimit = 1000
  static let keepAwakeLimit = 100_000

  /// Key in the file.
  var key: String { rawValue }
  /// Name in the environment.
  var environmentName: String { "QUBUS_" + rawValue.uppercased() }
  /// Name on the command line.
  var flag: String { "--" + rawValue.split(separator: "_").joined(separator: "-") }

  var kind: Kind {
    switch self {
    case .dataDirectory, .socketGroup, .localUsers, .masterKeyFile, .masterKeyCommand,
      .resultRetention, .eventRetention, .auditRetention, .logLevel, .logFormat:
      .text
    case .listen, .weight: .list
    case .threads, .sessionLimit, .sessionLimitPerPrincipal, .sessionShare, .stepInPlace,
      .keepAwake:
      .integer
    case .memoryLimit, .sessionMemory: .size
    }
  }

  /// Sets the value that `texts` stand for; one text except for lists.
  func apply(_ texts: [String], to configuration: inout Configuration) throws(Failure) {
    let text = texts.last ?? ""
    switch self {
    case .dataDirectory: configuration.dataDirectory = try Self.directory(text)
    case .listen:
      var endpoints: [Endpoint] = []
      for text in texts {
        do throws(QubusError) {
          let endpoint = try Endpoint(text)
          if !endpoints.contains(endpoint) { endpoints.append(endpoint) }
        } catch { throw Failure(error) }
      }
      guard !endpoints.isEmpty else { throw Failure(message: "no endpoint is named") }
      configuration.endpoints = endpoints
    case .socketGroup:
      guard getgrnam(text) != nil else {
        throw Failure(message: "the system has no group '\(text)'")
      }
      configuration.socketGroup = text
    case .localUsers: configuration.localUsers = try Self.localRole(text)
    case .masterKeyFile: configuration.masterKey = .file(try Self.directory(text))
    case .masterKeyCommand:
      guard !text.isEmpty else { throw Failure(message: "the command is empty") }
      configuration.masterKey = .command(text)
    case .threads: configuration.threads = try Self.number(text, 1...Self.threadLimit)
    case .memoryLimit: configuration.memoryBytes = try Self.memory(text)
    case .weight: configuration.weights = try Self.weights(texts)
    case .sessionLimit:
      configuration.sessionLimit = try Self.number(text, 1...Self.sessionCountLimit)
    case .sessionLimitPerPrincipal:
      configuration.sessionLimitPerPrincipal = try Self.number(text, 1...Self.sessionCountLimit)
    case .sessionMemory: configuration.sessionMemoryBytes = try Self.memory(text)
    case .sessionShare: configuration.sessionSharePercent = try Self.number(text, 1...100)
    case .stepInPlace:
      configuration.stepInPlaceMicroseconds = try Self.number(text, 0...Self.stepInPlaceLimit)
    case .keepAwake:
      configuration.keepAwakeMicroseconds = try Self.number(text, 0...Self.keepAwakeLimit)
    case .resultRetention: configuration.retention.results = try Self.duration(text)
    case .eventRetention: configuration.retention.events = try Self.duration(text)
    case .auditRetention: configuration.retention.audit = try Self.duration(text)
    case .logLevel: configuration.logLevel = try Self.choice(text, Logger.Level.allCases)
    case .logFormat:
      configuration.logFormat = try Self.choice(text, Configuration.LogFormat.allCases)
    }
  }

  /// Roles of the default project that come without being granted; nil for `refuse`. None that
  /// reaches beyond it.
  private static func localRole(_ text: String) throws(Failure) -> Role? {
    let roles: [Role] = [.viewer, .submitter, .approver, .projectAdmin]
    if text == "refuse" { return nil }
    guard let role = roles.first(where: { $0.rawValue == text }) else {
      let known = roles.map(\.rawValue).joined(separator: ", ")
      throw Failure(message: "'\(text)' is none of refuse, \(known)")
    }
    return role
  }

  /// Weights by `tenant=2`, `tenant/project=2` or `tenant/project/principal=2`.
  private static func weights(_ texts: [String]) throws(Failure) -> [AccountPath: Double] {
    var weights: [AccountPath: Double] = [:]
    for text in texts {
      let parts = text.split(separator: "=", omittingEmptySubsequences: false)
      guard parts.count == 2, let path = account(parts[0]), let weight = Double(parts[1]),
        ShareWeight.refusal(of: weight) == nil
      else {
        throw Failure(
          message: "'\(text)' is not a tenant, tenant/project or tenant/project/principal, = and a "
            + "weight from 0.001 to 1000000")
      }
      guard weights.updateValue(weight, forKey: path) == nil else {
        throw Failure(message: "'\(path)' is given two weights")
      }
    }
    return weights
  }

  private static func account(_ text: Substring) -> AccountPath? {
    let names = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard (1...3).contains(names.count), !names.contains("") else { return nil }
    return AccountPath(
      tenant: names[0], project: names.count > 1 ? names[1] : nil,
      principal: names.count > 2 ? names[2] : nil)
  }

  private static func number(
    _ text: String, _ range: ClosedRange<Int>
  ) throws(Failure) -> Int {
    guard let number = Int(text), range.contains(number) else {
      throw Failure(
        message: "'\(text)' is not a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// Microseconds of `90d`, `12h`, `30m` or `10s`; nil for `forever`.
  private static func duration(_ text: String) throws(Failure) -> Microseconds? {
    if text == "forever" { return nil }
    let units: [Character: Microseconds] = ["d": 86_400, "h": 3600, "m": 60, "s": 1]
    let limit: Microseconds = 36_500 * 86_400
    guard let unit = text.last.flatMap({ units[$0] }), let count = Microseconds(text.dropLast()),
      (1...limit / unit).contains(count)
    else {
      throw Failure(
        message: "'\(text)' is not a time such as 90d, 12h, 30m or 10s, up to 36500d, or forever")
    }
    return count * unit * 1_000_000
  }

  private static func memory(_ text: String) throws(Failure) -> UInt64 {
    guard let bytes = ByteCount.parse(text), bytes >= memoryMinimum else {
      throw Failure(
        message: "'\(text)' is not an amount of memory of at least 1 MiB, such as 4GiB")
    }
    return bytes
  }

  private static func directory(_ text: String) throws(Failure) -> String {
    guard !text.isEmpty else { throw Failure(message: "the path is empty") }
    var path = text
    if !path.hasPrefix("/") {
      guard let current = getcwd(nil, 0) else {
        throw Failure(message: "'\(text)' is relative and the current directory is gone")
      }
      path = String(cString: current) + "/" + path
      free(current)
    }
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
  }

  private static func choice<Value: RawRepresentable<String>>(
    _ text: String, _ values: [Value]
  ) throws(Failure) -> Value {
    guard let value = Value(rawValue: text) else {
      let known = values.map(\.rawValue).joined(separator: ", ")
      throw Failure(message: "'\(text)' is none of \(known)")
    }
    return value
  }
}

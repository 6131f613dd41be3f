internal import CQubusProto
internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// Fields that the requests of administration share. Every refusal names field and limit.
enum TenancyFields {
  /// Three names and two strokes.
  static let tokenBytes = 3 * TenancyName.limit + 2
  private static let nameRule =
    "1 to \(TenancyName.limit) of a-z 0-9 . _ - @, the first a letter or digit"

  static func name(
    _ pointer: UnsafeMutablePointer<CChar>?, _ field: String
  ) throws(QubusError) -> String {
    let text = String(wire: pointer)
    guard !text.isEmpty else { throw .field(.missingField, field, "is required") }
    guard TenancyName.isValid(text) else {
      throw .field(
        .invalidName, field, "\"\(text.prefix(TenancyName.limit))\" is not allowed",
        limit: nameRule)
    }
    return text
  }

  static func optionalName(
    _ pointer: UnsafeMutablePointer<CChar>?, _ field: String
  ) throws(QubusError) -> String? {
    guard let pointer, pointer.pointee != 0 else { return nil }
    return try name(pointer, field)
  }

  /// A principal to be made: all of its names follow the rule.
  static func newPrincipal(
    _ pointer: UnsafeMutablePointer<CChar>?, _ field: String
  ) throws(QubusError) -> Principal {
    let principal = try self.principal(pointer, field)
    guard TenancyName.isValid(principal.name) else {
      throw .field(
        .invalidName, field, "\"\(principal.name)\" is not allowed", limit: nameRule)
    }
    return principal
  }

  /// A principal that may exist: users of the machine keep the names that the machine gave them.
  static func principal(
    _ pointer: UnsafeMutablePointer<CChar>?, _ field: String
  ) throws(QubusError) -> Principal {
    let text = String(wire: pointer)
    guard !text.isEmpty else { throw .field(.missingField, field, "is required") }
    let parts = text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, TenancyName.isValid(String(parts[0])),
      TenancyName.isValid(String(parts[1])), !parts[2].isEmpty,
      parts[2].utf8.count <= TenancyName.limit
    else {
      throw .field(
        .invalidName, field, "\"\(text.prefix(tokenBytes))\" names no principal",
        limit: "tenant/project/name")
    }
    return Principal(tenant: String(parts[0]), project: String(parts[1]), name: String(parts[2]))
  }

  static func optionalPrincipal(
    _ pointer: UnsafeMutablePointer<CChar>?, _ field: String
  ) throws(QubusError) -> Principal? {
    guard let pointer, pointer.pointee != 0 else { return nil }
    return try principal(pointer, field)
  }

  static func reason(_ pointer: UnsafeMutablePointer<CChar>?) throws(QubusError) -> String {
    let text = String(wire: pointer)
    guard text.utf8.count <= TenancyLimits.reasonBytes else {
      throw .field(
        .invalidRequest, "reason", "\(text.utf8.count) bytes is too long",
        limit: "\(TenancyLimits.reasonBytes)")
    }
    return text
  }

  /// A public CURVE key.
  static func key(
    _ pointer: UnsafeMutablePointer<CChar>?, _ field: String
  ) throws(QubusError) -> String {
    let text = String(wire: pointer)
    guard !text.isEmpty else { throw .field(.missingField, field, "is required") }
    guard PublicKeyText.isValid(text) else {
      // What was sent may be a secret: it is not repeated.
      throw .field(.invalidKey, field, "is no key", limit: "40 characters of Z85, for 32 bytes")
    }
    return text
  }

  /// - Parameter zero: what 0 stands for; nil: 0 is refused.
  static func seconds(
    _ value: Double, _ field: String, limit: Double, zero: Double?
  ) throws(QubusError) -> Double {
    if value == 0, let zero { return zero }
    guard value > 0, value <= limit else {
      throw .field(
        .invalidRequest, field, "\(value) seconds is out of range",
        limit: "above 0, at most \(Int(limit))")
    }
    return value
  }

  /// 0 stands for the limit.
  static func wholeSeconds(
    _ value: UInt32, _ field: String, limit: Int64
  ) throws(QubusError) -> Int64 {
    guard value <= limit else {
      throw .field(
        .invalidRequest, field, "\(value) seconds is too long", limit: "\(limit)")
    }
    return value == 0 ? limit : Int64(value)
  }

  static func grant(
    _ pointer: UnsafeMutablePointer<Qubus__V1__RoleGrant>?, _ field: String
  ) throws(QubusError) -> Grant {
    guard let pointer else { throw .field(.missingField, field, "is required") }
    return try grant(pointer.pointee, field)
  }

  static func grant(
    _ message: Qubus__V1__RoleGrant, _ field: String
  ) throws(QubusError) -> Grant {
    let word = String(wire: message.role)
    guard !word.isEmpty else { throw .field(.missingField, "\(field).role", "is required") }
    guard let role = Role(rawValue: word) else {
      throw .field(
        .invalidEnumValue, "\(field).role", "\"\(word.prefix(64))\" is no role",
        limit: Role.allCases.map(\.rawValue).joined(separator: ", "))
    }
    let scope = Scope(
      tenant: try optionalName(message.tenant, "\(field).tenant"),
      project: try optionalName(message.project, "\(field).project"),
      deviceFamily: try optionalName(message.device_family, "\(field).device_family"))
    if scope.tenant == nil, scope.project != nil || role.widestReach != .service {
      throw .field(
        .missingField, "\(field).tenant",
        scope.project != nil
          ? "is required with a project" : "is required: a \(word) is one of a tenant")
    }
    if scope.project == nil, role.widestReach == .project {
      throw .field(
        .missingField, "\(field).project", "is required: a \(word) is one of a project")
    }
    return Grant(role, scope)
  }

  static func action(_ word: String, _ field: String) throws(QubusError) -> Action {
    guard let action = Action(rawValue: word) else {
      throw .field(
        .invalidEnumValue, field, "\"\(word.prefix(64))\" is no permission",
        limit: Action.allCases.filter(\.isDelegable).map(\.rawValue).joined(separator: ", "))
    }
    guard action.isDelegable else {
      throw .field(
        .invalidRequest, field, "\(word) is not handed on with a token",
        limit: Action.allCases.filter(\.isDelegable).map(\.rawValue).joined(separator: ", "))
    }
    return action
  }

  /// `key:…` or `uid:…`. A loopback connection proves nothing that a token could be bound to.
  static func credential(
    _ pointer: UnsafeMutablePointer<CChar>?, _ field: String
  ) throws(QubusError) -> Credential? {
    let text = String(wire: pointer)
    if text.isEmpty { return nil }
    switch Credential(text: text) {
    case .key(let key)? where PublicKeyText.isValid(key): return .key(key)
    case .localUser(let uid)?: return .localUser(uid: uid)
    case .key, .loopback, nil: break
    }
    throw .field(
      .invalidKey, field, "names no credential that a token can be bound to",
      limit: "key:, then 40 characters of Z85; or uid:, then a number")
  }
}

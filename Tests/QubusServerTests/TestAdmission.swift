import CZeroMQ
import Dispatch
import QubusCore
import QubusJobs
import QubusServer
import QubusTenancy
import Synchronization

/// A CURVE key pair of a client.
struct CurveKeys {
  let publicKey: String
  let secretKey: String

  init() {
    var publicKey = [CChar](repeating: 0, count: 41)
    var secretKey = publicKey
    zmq_curve_keypair(&publicKey, &secretKey)
    self.publicKey = publicKey.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    self.secretKey = secretKey.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }
}

/// The tenancy as the server sees it: local users are submitters, keys are whom a test says.
final class TestAdmission: Admission {
  struct State {
    var keys: [String: (Principal, Role)] = [:]
    var isClosedToLocalUsers = false
    /// By the token's bytes.
    var tokens: [[UInt8]: Identity] = [:]
    var verifications = 0
    var refusals: [Refusal: Int] = [:]
  }

  let state = Lock(State())
  private let counter = Atomic<UInt64>(1)
  /// Signalled for each refusal that is told.
  let refusal = DispatchSemaphore(value: 0)

  init() {}

  // MARK: What tests do

  /// A new key of a principal of the tenant `lab`.
  func add(_ name: String, _ role: Role = .submitter) -> CurveKeys {
    let keys = CurveKeys()
    let principal = Principal(tenant: "lab", project: "qc", name: name)
    change { $0.keys[keys.publicKey] = (principal, role) }
    return keys
  }

  func revoke(_ keys: CurveKeys) { change { $0.keys[keys.publicKey] = nil } }

  func change(_ body: (inout State) -> Void) {
    state.withLock { body(&$0) }
    counter.add(1, ordering: .sequentiallyConsistent)
  }

  func count(of matches: (Refusal) -> Bool) -> Int {
    state.withLock { $0.refusals.reduce(0) { matches($1.key) ? $0 + $1.value : $0 } }
  }

  // MARK: Admission

  var version: UInt64 { counter.load(ordering: .acquiring) }

  func identity(of credential: Credential) -> Identity? {
    state.withLock { state -> Identity? in
      switch credential {
      case .localUser(let uid):
        guard !state.isClosedToLocalUsers else { return nil }
        return .submitter(Principal(tenant: "default", project: "default", name: "uid:\(uid)"))
      case .loopback:
        return .submitter(Principal(tenant: "default", project: "default", name: "local"))
      case .key(let key):
        guard let (principal, role) = state.keys[key] else { return nil }
        return Identity(
          principal: principal, credential: credential,
          grants: [Grant(role, Scope(tenant: principal.tenant, project: principal.project))])
      }
    }
  }

  func identity(
    presenting token: [UInt8], over connection: Identity
  ) throws(QubusError) -> Identity {
    let found = state.withLock { state in
      state.verifications += 1
      return state.tokens[token]
    }
    guard let found, found.credential == connection.credential else {
      throw QubusError(.tokenInvalid, "the token is not good here")
    }
    return found
  }

  func refused(_ refusal: Refusal, count: Int) {
    state.withLock { $0.refusals[refusal, default: 0] += count }
    self.refusal.signal()
  }
}

import Crypto
import Foundation
import QubusCore
import QubusJobs
import Testing

@testable import QubusTenancy

@Suite("Tokens")
struct TokenTests {
  typealias Fixture = TokenFixture

  @Test("a token carries its principal's rights, cut down, over the connection it is bound to")
  func good() throws {
    let fixture = try Fixture()
    let token = try fixture.issued(fixture.request(project: "qc"))
    let identity = try fixture.verify(token)
    #expect(identity.principal == DirectoryFixture.alice)
    #expect(identity.credential == .key(DirectoryFixture.daveKey))
    #expect(identity.allowance == nil)
    let own = DirectoryFixture.alice.resource
    let now = fixture.directory.now()
    for action in Action.allCases {
      let isCarried = [.connect, .submitJobs, .readJobs, .readResults].contains(action)
      #expect(Authority.mayAnywhere(identity, action, now: now) == isCarried, "\(action)")
      #expect(
        (Authority.decide(identity, action, on: own, now: now) == .denied) == !isCarried,
        "\(action)")
    }
    // Of RFC 7519, as others read it.
    let claims = try Fixture.claims(token)
    #expect(claims["aud"] as? String == "qubus" && claims["sub"] as? String == "lab/qc/alice")
    #expect((claims["cnf"] as? [String: String])?["bound"] == "key:" + DirectoryFixture.daveKey)
    #expect(token.split(separator: ".").count == 3)
  }

  @Test("it is good until its last second, and no longer, whatever the clock is set to")
  func expired() throws {
    let fixture = try Fixture()
    let token = try fixture.issued(fixture.request(seconds: 60))
    let identity = try fixture.verify(token)
    fixture.clock.advance(seconds: 59)
    _ = try fixture.verify(token)
    fixture.clock.set(bySeconds: -30)
    fixture.clock.advance(seconds: 1)
    #expect(try fixture.refusal(token)?.code == .tokenExpired)
    fixture.clock.set(bySeconds: -86_400)
    #expect(try fixture.refusal(token)?.code == .tokenExpired)
    // One who kept the identity finds out too.
    let now = fixture.directory.now()
    let own = DirectoryFixture.alice.resource
    let refusal = Result { () throws(QubusError) in
      _ = try identity.check(.readJobs, on: own, now: now)
    }.failure
    #expect(refusal?.code == .tokenExpired)
    #expect(!Authority.mayAnywhere(identity, .connect, now: now))
  }

  @Test("a clock that is set forward ends it early")
  func setForward() throws {
    let fixture = try Fixture()
    let token = try fixture.issued()
    fixture.clock.set(bySeconds: 901)
    #expect(try fixture.refusal(token)?.code == .tokenExpired)
    fixture.clock.set(bySeconds: -901)
    #expect(try fixture.refusal(token)?.code == .tokenExpired)
  }

  @Test("a token of the future is refused, to the second, without allowance for other clocks")
  func future() throws {
    let fixture = try Fixture()
    let token = try fixture.issued()
    var claims = try Fixture.claims(token)
    let start = try #require(claims["nbf"] as? Int)
    claims["nbf"] = start + 10
    let later = try Fixture.signed(claims, like: token, with: fixture.stolenKey)
    #expect(try fixture.refusal(later)?.code == .tokenExpired)
    fixture.clock.advance(seconds: 9)
    #expect(try fixture.refusal(later)?.code == .tokenExpired)
    fixture.clock.advance(seconds: 1)
    #expect(try fixture.refusal(later) == nil)
  }

  @Test("a revoked token is of no use at once; one that is revoked later then")
  func revoked() throws {
    let fixture = try Fixture()
    let issued = try fixture.issue()
    let (token, record) = (issued.text, issued.record)
    _ = try fixture.verify(token)
    let version = fixture.directory.version
    fixture.directory.apply(.revokeToken(record.id, at: fixture.directory.now() + 5_000_000))
    _ = try fixture.verify(token)
    fixture.clock.advance(seconds: 5)
    #expect(fixture.directory.version == version + 2)
    #expect(try fixture.refusal(token)?.code == .tokenExpired)
  }

  @Test("a token of a principal that lost a right, or is disabled, has it no more")
  func principalChanged() throws {
    let fixture = try Fixture()
    let token = try fixture.issued()
    fixture.directory.apply(
      .revokeGrant(
        GrantRecord(
          principal: DirectoryFixture.alice,
          grant: Grant(.submitter, Scope(tenant: "lab", project: "qc")))))
    let identity = try fixture.verify(token)
    #expect(!Authority.mayAnywhere(identity, .readJobs, now: fixture.directory.now()))
    fixture.directory.apply(.setPrincipalDisabled(DirectoryFixture.alice, true))
    #expect(try fixture.refusal(token)?.code == .tokenInvalid)
  }

  @Test("a stolen token is of no use over another connection")
  func stolen() throws {
    let fixture = try Fixture()
    let token = try fixture.issued()
    for thief in [
      Credential.key(DirectoryFixture.aliceKey), .localUser(uid: 1002), .loopback,
    ] {
      #expect(try fixture.refusal(token, over: thief) == .tokenInvalid)
    }
    // Nor for one who acts by a token already, or is only invited.
    let bearer = try fixture.verify(token)
    #expect(throws: QubusError.tokenInvalid) {
      try fixture.verifier.identity(token, over: bearer)
    }
    let invited = Identity(
      principal: DirectoryFixture.dave, credential: .key(DirectoryFixture.daveKey), grants: [],
      isInvitation: true)
    #expect(throws: QubusError.tokenInvalid) {
      try fixture.verifier.identity(token, over: invited)
    }
  }

  @Test("unsigned, and under any algorithm but its own, it is refused")
  func algorithms() throws {
    let fixture = try Fixture()
    let token = try fixture.issued()
    let parts = token.split(separator: ".").map(String.init)
    let json = Data(try #require(Base64URL.decode(parts[0].utf8)))
    let header = try #require(try JSONSerialization.jsonObject(with: json) as? [String: Any])
    #expect(header["alg"] as? String == "EdDSA")
    for algorithm in ["none", "None", "HS256", "RS256", "ES256", "eddsa", "Ed448", ""] {
      var other = header
      other["alg"] = algorithm
      let text = try Fixture.encoded(other) + "." + parts[1]
      #expect(try fixture.refusal(text + ".") == .tokenInvalid, "\(algorithm)")
      #expect(try fixture.refusal(text + "." + parts[2]) == .tokenInvalid, "\(algorithm)")
      // Signed for real, under a header that says something else.
      let signature = try fixture.stolenKey.signature(for: Data(text.utf8))
      let signed = text + "." + String(decoding: Base64URL.encode(signature), as: UTF8.self)
      #expect(try fixture.refusal(signed) == .tokenInvalid, "\(algorithm)")
      // The public key taken for the secret of a symmetric algorithm.
      let secret = SymmetricKey(data: try fixture.stolenKey.publicKey.rawRepresentation)
      let code = HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: secret)
      let symmetric = text + "." + String(decoding: Base64URL.encode(code), as: UTF8.self)
      #expect(try fixture.refusal(symmetric) == .tokenInvalid, "\(algorithm)")
    }
    #expect(try fixture.refusal(parts[0] + "." + parts[1] + ".") == .tokenInvalid)
    #expect(try fixture.refusal(parts[0] + "." + parts[1]) == .tokenInvalid)
  }

  @Test("headers that bring their own key, or numbers that decoders choke on, do nothing")
  func headers() throws {
    let fixture = try Fixture()
    let token = try fixture.issued()
    let parts = token.split(separator: ".").map(String.init)
    let header = String(
      decoding: try #require(Base64URL.decode(parts[0].utf8)), as: UTF8.self)
    for extra in [
      #""x":1e300"#, #""crit":["x"]"#, #""jwk":{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#,
      #""jku":"https://example.org""#, #""x5c":["AAAA"]"#, #""b64":false"#, #""alg":"none""#,
    ] {
      let other = "{" + extra + "," + header.dropFirst()
      let text = String(decoding: Base64URL.encode(other.utf8), as: UTF8.self) + "." + parts[1]
      let signature = try fixture.stolenKey.signature(for: Data(text.utf8))
      let signed = text + "." + String(decoding: Base64URL.encode(signature), as: UTF8.self)
      #expect(try fixture.refusal(signed) == .tokenInvalid, "\(extra)")
    }
  }

  @Test("another service's token, and another audience's, are refused")
  func audience() throws {
    let fixture = try Fixture()
    let token = try fixture.issued()
    for (claim, value) in [
      ("iss", "another service"), ("aud", "qiskit"), ("aud", ""),
      ("sub", "lab/qc/bob"), ("sub", "lab"), ("jti", "never issued"),
    ] {
      var claims = try Fixture.claims(token)
      claims[claim] = value
      let other = try Fixture.signed(claims, like: token, with: fixture.stolenKey)
      #expect(try fixture.refusal(other) == .tokenInvalid, "\(claim) \(value)")
    }
    let elsewhere = TokenVerifier(
      keys: fixture.keys, service: "another service", directory: fixture.directory)
    let connection = try fixture.connection()
    #expect(throws: QubusError.tokenInvalid) {
      try elsewhere.identity(token, over: connection)
    }
  }

  @Test("claims that contradict the record, or live too long, are refused though they are signed")
  func contradictions() throws {
    let fixture = try Fixture()
    let token = try fixture.issued(fixture.request(maxShots: 10, actions: [.submitJobs]))
    _ = try fixture.verify(token)
    let good = try Fixture.claims(token)
    let start = try #require(good["iat"] as? Int)
    let changes: [(String, Any?)] = [
      ("exp", start + 901), ("exp", start), ("exp", start - 1), ("nbf", start - 1),
      ("iat", start + 1), ("iat", -1), ("exp", 1 << 41), ("shots", 11), ("shots", nil),
      ("cnf", ["bound": "key:" + DirectoryFixture.aliceKey]), ("cnf", nil), ("jti", nil),
      ("act", ["jobs.submit", "everything"]), ("act", nil), ("exp", "soon"), ("exp", 1e300),
    ]
    for (claim, value) in changes {
      var claims = good
      claims[claim] = value
      let other = try Fixture.signed(claims, like: token, with: fixture.stolenKey)
      #expect(try fixture.refusal(other) == .tokenInvalid, "\(claim) \(value ?? "missing")")
    }
    // Unchanged, by the same means, it is taken: the loop above tests what it says.
    #expect(
      try fixture.refusal(try Fixture.signed(good, like: token, with: fixture.stolenKey)) == nil)
  }

  @Test("rights that no token carries are not carried by one that names them")
  func escalation() throws {
    let fixture = try Fixture()
    let token = try fixture.issued(fixture.request(maxShots: 10, actions: [.submitJobs]))
    var claims = try Fixture.claims(token)
    claims["act"] = Action.allCases.map(\.rawValue)
    let greedy = try fixture.verify(
      try Fixture.signed(claims, like: token, with: fixture.stolenKey))
    for action in [
      Action.issueTokens, .rotateKeys, .managePrincipals, .manageProjects, .manageTenants,
      .manageDevices, .openSessions, .stepSessions,
    ] {
      #expect(!Authority.mayAnywhere(greedy, action, now: fixture.directory.now()), "\(action)")
    }
  }

  @Test("another's signature, and a change of any character, are refused")
  func tampered() throws {
    let fixture = try Fixture()
    let token = try fixture.issued()
    let forged = try Fixture.signed(
      try Fixture.claims(token), like: token, with: Curve25519.Signing.PrivateKey())
    #expect(try fixture.refusal(forged) == .tokenInvalid)
    let bytes = Array(token.utf8)
    let connection = try fixture.connection()
    for index in bytes.indices {
      for other in [UInt8(ascii: "A"), UInt8(ascii: "."), 0, 0xFF] where other != bytes[index] {
        var changed = bytes
        changed[index] = other
        #expect(throws: QubusError.tokenInvalid) {
          try fixture.verifier.identity(String(decoding: changed, as: UTF8.self), over: connection)
        }
      }
    }
    for count in [0, 1, bytes.count / 2, bytes.count - 1] {
      #expect(throws: QubusError.tokenInvalid) {
        try fixture.verifier.identity(String(decoding: Array(bytes[..<count]), as: UTF8.self), over: connection)
      }
    }
    let long = bytes + [UInt8](repeating: UInt8(ascii: "A"), count: 1 << 20)
    #expect(throws: QubusError.tokenInvalid) {
      try fixture.verifier.identity(String(decoding: long, as: UTF8.self), over: connection)
    }
    #expect(throws: QubusError.tokenInvalid) {
      try fixture.verifier.identity(String(decoding: bytes + [UInt8(ascii: "=")], as: UTF8.self), over: connection)
    }
  }

  @Test("noise is refused, and nothing else happens")
  func noise() throws {
    let fixture = try Fixture()
    let token = Array(try fixture.issued().utf8)
    let connection = try fixture.connection()
    let seed = UInt64.random(in: .min ... .max)
    print("TokenTests.noise: seed \(seed)")
    var random = SplitMix(state: seed)
    for _ in 0..<2000 {
      var bytes = token
      for _ in 0...Int.random(in: 0..<8, using: &random) {
        let index = Int.random(in: 0..<bytes.count, using: &random)
        switch UInt8.random(in: 0..<3, using: &random) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
        default: bytes.remove(at: index)
        }
      }
      guard bytes != token else { continue }
      #expect(throws: QubusError.tokenInvalid) {
        try fixture.verifier.identity(String(decoding: bytes, as: UTF8.self), over: connection)
      }
    }
  }

  @Test("what no token may be is refused when it is asked for, by field")
  func issuing() throws {
    let fixture = try Fixture()
    // Of somebody who holds every right there is.
    let everything = Role.allCases.map { role in
      Grant(role, role.widestReach == .service ? Scope() : Scope(tenant: "lab", project: "qc"))
    }
    let mighty = Identity(
      principal: DirectoryFixture.alice, credential: .localUser(uid: 1001), grants: everything)
    func refusal(_ request: TokenRequest) -> QubusError? {
      Result { () throws(QubusError) in
        try fixture.issuer.issue(request, for: mighty)
      }.failure
    }
    func field(_ request: TokenRequest) -> String? { refusal(request)?.violations.first?.field }
    for seconds in [Int64(0), -1, 901, .max, .min] {
      #expect(field(fixture.request(seconds: seconds)) == "valid_seconds", "\(seconds)")
    }
    #expect(field(fixture.request(boundTo: .loopback)) == "bound_to")
    #expect(field(fixture.request(maxShots: 0)) == "shots")
    #expect(field(fixture.request(actions: [])) == "actions")
    #expect(field(fixture.request(project: "no/name")) == "project")
    #expect(
      field(fixture.request(maxShots: 1, actions: [.submitJobs, .stepSessions])) == "actions[1]")
    for action in Action.allCases {
      #expect(
        field(fixture.request(actions: [action])) == (action.isDelegable ? nil : "actions[0]"),
        "\(action)")
    }
    #expect(refusal(fixture.request(seconds: 1)) == nil)
    #expect(refusal(fixture.request()) == nil)
  }

  @Test("one hands on what one has, by a right of one's own, and nothing by a token")
  func issuers() throws {
    let fixture = try Fixture()
    func code(_ identity: Identity, _ actions: [Action]) -> ErrorCode? {
      Result { () throws(QubusError) in
        try fixture.issuer.issue(fixture.request(actions: actions), for: identity)
      }.failure?.code
    }
    let alice = try fixture.connection(.localUser(uid: 1001))
    #expect(code(alice, [.submitJobs]) == nil)
    #expect(code(alice, [.submitJobs, .approveJobs]) == .permissionDenied)
    let viewer = Identity(
      principal: DirectoryFixture.bob, credential: .localUser(uid: 5),
      grants: [Grant(.viewer, Scope(tenant: "lab", project: "qc"))])
    #expect(code(viewer, [.readJobs]) == .permissionDenied)
    let bearer = try fixture.verify(try fixture.issued())
    #expect(code(bearer, [.readJobs]) == .permissionDenied)
    fixture.directory.apply(.setProjectDisabled(tenant: "lab", name: "qc", true))
    let suspended = try fixture.connection(.localUser(uid: 1001))
    #expect(code(suspended, [.readJobs]) == .projectDisabled)
  }
}

@Suite("Shots of a token")
struct TokenAllowanceTests {
  @Test("all calls together spend no more than there are, and what is refused is given back")
  func spending() throws {
    let fixture = try TokenFixture()
    let issued = try fixture.issue(
      fixture.request(maxShots: 1000, actions: [.submitJobs, .readJobs]))
    let (token, record) = (issued.text, issued.record)
    let first = try #require(try fixture.verify(token).allowance)
    let second = try #require(try fixture.verify(token).allowance)
    #expect(first === second)
    try first.take(600)
    #expect(throws: QubusError.self) { try second.take(401) }
    try second.take(400)
    second.keep(400)
    first.giveBack(600)
    #expect(fixture.directory.token(record.id)?.shotsUsed == 400)
    #expect(fixture.spent.withLock { $0 } == [.spendToken(record.id, shots: 400)])
    // What the store was told is not counted again.
    fixture.directory.apply(.spendToken(record.id, shots: 400))
    #expect(first.used == 400)
    try first.take(600)
    for shots in [UInt64(1), .max] {
      let error = #expect(throws: QubusError.self) { try first.take(shots) }
      #expect(error?.code == .tokenExpired)
    }
    #expect(throws: QubusError.self) { try first.take(0) }
    // The shots are used up; what they gave can still be read.
    let identity = try fixture.verify(token)
    #expect(
      Authority.mayAnywhere(identity, .readJobs, now: fixture.directory.now()))
  }

  @Test("shots that were spent before a restart are spent after it")
  func restart() throws {
    let fixture = try TokenFixture()
    let issued = try fixture.issue(fixture.request(maxShots: 1000, actions: [.submitJobs]))
    // As the store has it then.
    var record = issued.record
    record.shotsUsed = 990
    fixture.directory.apply(.issueToken(record))
    let token = issued.text
    let allowance = try #require(try fixture.verify(token).allowance)
    #expect(throws: QubusError.self) { try allowance.take(11) }
    try allowance.take(10)
  }

  @Test("threads that spend side by side do not spend a shot twice")
  func race() async throws {
    let fixture = try TokenFixture()
    let token = try fixture.issued(
      fixture.request(maxShots: 10_000, actions: [.submitJobs]))
    let allowance = try #require(try fixture.verify(token).allowance)
    let taken = await withTaskGroup(of: Int.self) { group in
      for _ in 0..<4 {
        group.addTask {
          (0..<5000).count { index in
            guard (try? allowance.take(1)) != nil else { return false }
            if index % 3 == 0 { allowance.giveBack(1) }
            return index % 3 != 0
          }
        }
      }
      return await group.reduce(0, +)
    }
    #expect(taken == 10_000 && allowance.used == 10_000)
  }
}

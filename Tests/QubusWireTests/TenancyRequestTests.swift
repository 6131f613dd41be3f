import CQubusProto
import QubusCore
import QubusJobs
import QubusTenancy
import QubusWire
import Testing

@Suite("RequestDecoder: administration")
struct TenancyRequestTests {
  let decoder = RequestDecoder(limits: Limits())
  static let key = String(repeating: "0", count: 39) + "1"
  static let sam = Principal(tenant: "lab", project: "qc", name: "sam")

  /// A message of a method, filled in by `change`.
  private func body<Message>(
    _ initialize: (UnsafeMutablePointer<Message>?) -> Void,
    _ change: (borrowing MessageBuilder, UnsafeMutablePointer<Message>) -> Void
  ) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(initialize)
    change(builder, message)
    return MessageBuilder.pack(message)
  }

  private func grant(
    _ builder: borrowing MessageBuilder, _ role: String, _ tenant: String, _ project: String = "",
    family: String = ""
  ) -> UnsafeMutablePointer<Qubus__V1__RoleGrant> {
    let message = builder.make(qubus__v1__role_grant__init)
    message.pointee.role = builder.text(role)
    message.pointee.tenant = builder.text(tenant)
    message.pointee.project = builder.text(project)
    message.pointee.device_family = builder.text(family)
    return message
  }

  private func expect(
    _ code: ErrorCode, _ field: String, _ method: Method, _ body: [UInt8],
    location: Testing.SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: QubusError.self, sourceLocation: location) {
      try decoder.tenancyChange(method, body)
    }
    #expect(error?.code == code, sourceLocation: location)
    #expect(error?.violations.first?.field == field, sourceLocation: location)
  }

  @Test("every method of administration is a change or a read, under its own name")
  func methods() throws {
    var names: Set<String> = []
    for method in Method.allCases {
      let queries = try? decoder.tenancyQuery(method, [])
      if let queries {
        #expect(queries.method == method.rawValue)
        names.insert(method.rawValue)
      }
    }
    #expect(
      names == [
        "ListTenants", "ListProjects", "ListPrincipals", "ListKeys", "ListAudit", "VerifyAudit",
        "ExportAuditCheckpoint", "ListBudgets", "GetUsage", "GetQuota", "ListQuotas",
        "ListExportPolicies", "ListReservations",
      ])
    #expect(try decoder.tenancyChange(.rotateTokenKey, []).order == .rotateTokenKey)
    for method in Method.allCases
    where method.permission == .manageTenants && method != .rotateTokenKey {
      let error = #expect(throws: QubusError.self) { try decoder.tenancyChange(method, []) }
      #expect(error?.code == .missingField)
    }
  }

  @Test("tenants and projects: names follow the rule, a change changes something")
  func places() throws {
    let made = try decoder.tenancyChange(
      .createTenant,
      body(qubus__v1__create_tenant_request__init) {
        $1.pointee.name = $0.text("lab.1")
        $1.pointee.reason = $0.text("because")
      })
    #expect(made.order == .createTenant(name: "lab.1") && made.reason == "because")
    for name in ["", "Lab", "-lab", "l/b", "läb", "l b", String(repeating: "x", count: 65)] {
      expect(
        name.isEmpty ? .missingField : .invalidName, "name", .createTenant,
        body(qubus__v1__create_tenant_request__init) { $1.pointee.name = $0.text(name) })
      expect(
        name.isEmpty ? .missingField : .invalidName, "tenant", .createProject,
        body(qubus__v1__create_project_request__init) {
          $1.pointee.tenant = $0.text(name)
          $1.pointee.name = $0.text("p")
        })
    }
    expect(
      .invalidRequest, "reason", .createTenant,
      body(qubus__v1__create_tenant_request__init) {
        $1.pointee.name = $0.text("lab")
        $1.pointee.reason = $0.text(String(repeating: "x", count: 1025))
      })
    expect(
      .missingField, "is_disabled", .updateTenant,
      body(qubus__v1__update_tenant_request__init) { $1.pointee.name = $0.text("lab") })
    expect(
      .missingField, "is_disabled", .updateProject,
      body(qubus__v1__update_project_request__init) {
        $1.pointee.tenant = $0.text("lab")
        $1.pointee.name = $0.text("qc")
      })
    let update = try decoder.tenancyChange(
      .updateProject,
      body(qubus__v1__update_project_request__init) {
        $1.pointee.tenant = $0.text("lab")
        $1.pointee.name = $0.text("qc")
        $1.pointee.owner_choice_case = QUBUS__V1__UPDATE_PROJECT_REQUEST__OWNER_CHOICE_OWNER
        $1.pointee.owner = $0.text("sam")
      })
    #expect(
      update.order == .updateProject(tenant: "lab", name: "qc", isDisabled: nil, owner: "sam"))
  }

  @Test("principals are three names; a new one's follow the rule, a user's need not")
  func principals() throws {
    for text in ["sam", "lab/sam", "lab/qc/", "/qc/sam", "Lab/qc/sam", "lab/qc/"] {
      expect(
        .invalidName, "principal", .createPrincipal,
        body(qubus__v1__create_principal_request__init) { $1.pointee.principal = $0.text(text) })
    }
    expect(
      .invalidName, "principal", .createPrincipal,
      body(qubus__v1__create_principal_request__init) {
        $1.pointee.principal = $0.text("default/default/uid:1000")
      })
    let user = try decoder.tenancyChange(
      .updatePrincipal,
      body(qubus__v1__update_principal_request__init) {
        $1.pointee.principal = $0.text("default/default/Mike")
        $1.pointee.user_choice_case = QUBUS__V1__UPDATE_PRINCIPAL_REQUEST__USER_CHOICE_NO_UID
        $1.pointee.no_uid = 1
      })
    #expect(
      user.order
        == .updatePrincipal(
          Principal(tenant: "default", project: "default", name: "Mike"), isDisabled: nil,
          user: .nobody))
    expect(
      .invalidRequest, "no_uid", .updatePrincipal,
      body(qubus__v1__update_principal_request__init) {
        $1.pointee.principal = $0.text("lab/qc/sam")
        $1.pointee.user_choice_case = QUBUS__V1__UPDATE_PRINCIPAL_REQUEST__USER_CHOICE_NO_UID
      })
    expect(
      .missingField, "is_disabled", .updatePrincipal,
      body(qubus__v1__update_principal_request__init) {
        $1.pointee.principal = $0.text("lab/qc/sam")
      })
    expect(
      .invalidRequest, "grants", .createPrincipal,
      body(qubus__v1__create_principal_request__init) { builder, message in
        message.pointee.principal = builder.text("lab/qc/sam")
        let grants = (0..<17).map { "f\($0)" }
        let one = grant(builder, "viewer", "lab", "qc")
        (message.pointee.n_grants, message.pointee.grants) = builder.list(grants) { _ in one }
      })
  }

  @Test("grants: a known role, no wider than it reaches, the field named by its path")
  func grants() throws {
    func order(_ role: String, _ tenant: String, _ project: String, _ family: String = "")
      -> [UInt8]
    {
      body(qubus__v1__grant_role_request__init) { builder, message in
        message.pointee.principal = builder.text("lab/qc/sam")
        message.pointee.grant = grant(builder, role, tenant, project, family: family)
      }
    }
    let read = try decoder.tenancyChange(.grantRole, order("submitter", "lab", "qc", "sim"))
    #expect(
      read.order
        == .grantRole(
          GrantRecord(
            principal: Self.sam,
            grant: Grant(
              .submitter, Scope(tenant: "lab", project: "qc", deviceFamily: "sim")))))
    let everything = try decoder.tenancyChange(.revokeRole, order("operator", "", ""))
    #expect(
      everything.order
        == .revokeRole(GrantRecord(principal: Self.sam, grant: Grant(.operator, Scope()))))
    expect(.invalidEnumValue, "grant.role", .grantRole, order("boss", "lab", "qc"))
    expect(.missingField, "grant.role", .grantRole, order("", "lab", "qc"))
    expect(.missingField, "grant.tenant", .grantRole, order("viewer", "", ""))
    expect(.missingField, "grant.tenant", .grantRole, order("operator", "", "qc"))
    expect(.missingField, "grant.project", .grantRole, order("project_admin", "lab", ""))
    expect(.invalidName, "grant.project", .grantRole, order("viewer", "lab", "Q C"))
    expect(.invalidName, "grant.device_family", .grantRole, order("viewer", "lab", "qc", "Sim"))
    expect(
      .missingField, "grant", .grantRole,
      body(qubus__v1__grant_role_request__init) { $1.pointee.principal = $0.text("lab/qc/sam") })
    expect(
      .invalidEnumValue, "grants[0].role", .createPrincipal,
      body(qubus__v1__create_principal_request__init) { builder, message in
        message.pointee.principal = builder.text("lab/qc/sam")
        (message.pointee.n_grants, message.pointee.grants) = builder.list(["x"]) {
          grant(builder, $0, "lab")
        }
      })
  }

  @Test("keys are 40 characters of Z85 that decode; a wrong one is not repeated in the error")
  func keys() throws {
    func order(_ key: String, seconds: Double? = nil) -> [UInt8] {
      body(qubus__v1__add_key_request__init) {
        $1.pointee.key = $0.text(key)
        if let seconds {
          $1.pointee.valid_choice_case = QUBUS__V1__ADD_KEY_REQUEST__VALID_CHOICE_VALID_SECONDS
          $1.pointee.valid_seconds = seconds
        }
      }
    }
    #expect(
      try decoder.tenancyChange(.addKey, order(Self.key)).order
        == .addKey(principal: nil, key: Self.key, validSeconds: nil))
    for key in [
      String(Self.key.dropLast()), Self.key + "0", "~" + Self.key.dropFirst(),
      "#####" + Self.key.dropFirst(5),
    ] {
      expect(.invalidKey, "key", .addKey, order(key))
      let error = #expect(throws: QubusError.self) {
        try decoder.tenancyChange(.addKey, order(key))
      }
      #expect(error?.message.contains(key) == false)
    }
    expect(.missingField, "key", .addKey, order(""))
    for seconds in [0, -1, .nan, .infinity, 4e8] as [Double] {
      expect(.invalidRequest, "valid_seconds", .addKey, order(Self.key, seconds: seconds))
    }
    func revocation(_ seconds: Double) -> [UInt8] {
      body(qubus__v1__revoke_key_request__init) {
        $1.pointee.key = $0.text(Self.key)
        $1.pointee.overlap_seconds = seconds
      }
    }
    #expect(
      try decoder.tenancyChange(.revokeKey, revocation(0)).order
        == .revokeKey(Self.key, overlapSeconds: 0))
    for seconds in [-1, .nan, 91 * 86_400] as [Double] {
      expect(.invalidRequest, "overlap_seconds", .revokeKey, revocation(seconds))
    }
    func invitation(_ seconds: Double) -> [UInt8] {
      body(qubus__v1__create_invitation_request__init) {
        $1.pointee.principal = $0.text("lab/qc/sam")
        $1.pointee.valid_seconds = seconds
      }
    }
    #expect(
      try decoder.tenancyChange(.createInvitation, invitation(0)).order
        == .createInvitation(Self.sam, validSeconds: 7 * 86_400))
    for seconds in [-1, .nan, 31 * 86_400] as [Double] {
      expect(.invalidRequest, "valid_seconds", .createInvitation, invitation(seconds))
    }
  }

  @Test("tokens: known actions that can be delegated, a credential, a time and shots in range")
  func tokens() throws {
    func order(
      _ actions: [String], boundTo: String = "key:" + Self.key, project: String = "",
      seconds: UInt32 = 0, shots: UInt64? = nil
    ) -> [UInt8] {
      body(qubus__v1__issue_token_request__init) {
        $1.pointee.bound_to = $0.text(boundTo)
        ($1.pointee.n_actions, $1.pointee.actions) = $0.texts(actions)
        $1.pointee.project = $0.text(project)
        $1.pointee.valid_seconds = seconds
        if let shots {
          $1.pointee.shots_choice_case = QUBUS__V1__ISSUE_TOKEN_REQUEST__SHOTS_CHOICE_SHOTS
          $1.pointee.shots = shots
        }
      }
    }
    let read = try decoder.tenancyChange(
      .issueToken, order(["jobs.submit", "jobs.read"], project: "qc", shots: 10_000))
    #expect(
      read.order
        == .issueToken(
          TokenOrder(
            boundTo: .key(Self.key), actions: [.submitJobs, .readJobs], project: "qc",
            validSeconds: 900, shots: 10_000)))
    expect(.invalidRequest, "actions", .issueToken, order([]))
    expect(
      .invalidRequest, "actions", .issueToken, order(Array(repeating: "jobs.read", count: 100)))
    expect(.invalidEnumValue, "actions[1]", .issueToken, order(["jobs.read", "jobs.eat"]))
    for action in ["keys.rotate", "tokens.issue", "principals.manage", "tenants.manage"] {
      expect(.invalidRequest, "actions[0]", .issueToken, order([action]))
    }
    for credential in ["loopback", "key:", "uid:", "uid:-1", "key:abc", "sam"] {
      expect(.invalidKey, "bound_to", .issueToken, order(["jobs.read"], boundTo: credential))
    }
    expect(.invalidRequest, "valid_seconds", .issueToken, order(["jobs.read"], seconds: 901))
    expect(.invalidShots, "shots", .issueToken, order(["jobs.submit"], shots: 0))
    expect(.invalidName, "project", .issueToken, order(["jobs.read"], project: "Q"))
    expect(.missingField, "token_id", .revokeToken, [])
  }

  @Test("reads: pages, projects with their tenant, checkpoints that are some")
  func reads() throws {
    func query(_ method: Method, _ body: [UInt8]) throws -> TenancyQuery {
      try decoder.tenancyQuery(method, body)
    }
    #expect(try query(.listTenants, []) == .tenants(TenancyPage(limit: 100)))
    #expect(try query(.listKeys, []) == .keys(nil))
    #expect(try query(.verifyAudit, []) == .verifyAudit(nil))
    let large = body(qubus__v1__list_tenants_request__init) { $1.pointee.page_size = 1001 }
    let page = #expect(throws: QubusError.self) { try query(.listTenants, large) }
    #expect(page?.code == .invalidRequest && page?.violations.first?.field == "page_size")
    let token = body(qubus__v1__list_tenants_request__init) {
      $1.pointee.page_token = $0.text(String(repeating: "x", count: 400))
    }
    #expect(
      #expect(throws: QubusError.self) { try query(.listTenants, token) }?.code == .invalidCursor)
    let project = body(qubus__v1__list_principals_request__init) {
      $1.pointee.project = $0.text("qc")
    }
    let missing = #expect(throws: QubusError.self) { try query(.listPrincipals, project) }
    #expect(missing?.code == .missingField && missing?.violations.first?.field == "tenant")
    let checkpoint = body(qubus__v1__verify_audit_request__init) {
      $1.pointee.checkpoint = $0.text("{}")
    }
    #expect(
      #expect(throws: QubusError.self) { try query(.verifyAudit, checkpoint) }?.code
        == .invalidRequest)
    let audit = body(qubus__v1__list_audit_request__init) {
      $1.pointee.after = 7
      $1.pointee.tenant = $0.text("lab")
    }
    #expect(try query(.listAudit, audit) == .audit(after: 7, tenant: "lab", limit: 100))
  }

  @Test("mutated requests decode or throw")
  func mutations() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var generator = SeededGenerator(state: seed)
    let original = body(qubus__v1__create_principal_request__init) { builder, message in
      message.pointee.principal = builder.text("lab/qc/sam")
      message.pointee.reason = builder.text("because")
      (message.pointee.n_grants, message.pointee.grants) = builder.list(["viewer", "submitter"]) {
        grant(builder, $0, "lab", "qc")
      }
    }
    var decoded = 0
    for _ in 0..<20_000 {
      let bytes = generator.mutate(original)
      for method: Method in [.createPrincipal, .updatePrincipal, .grantRole, .issueToken, .addKey] {
        if case .createPrincipal(let principal, _, let grants)? =
          try? decoder.tenancyChange(method, bytes).order
        {
          decoded += 1
          #expect(TenancyName.isValid(principal.name), "seed \(seed)")
          #expect(grants.allSatisfy { $0.role.isGrantable(for: $0.scope) }, "seed \(seed)")
        }
      }
    }
    #expect(decoded > 0)
  }
}

import QubusTenancy
import Testing

@Suite("Roles")
struct RoleTests {
  @Test("every action has a bit of its own")
  func bits() {
    #expect(Set(Action.allCases.map(\.bit)).count == Action.allCases.count)
    #expect(Actions.all.list == Action.allCases)
  }

  @Test("whoever runs the service or audits it reads no results")
  func noResults() {
    for role in [Role.operator, .auditor, .viewer] {
      #expect(!role.actions.contains(.readResults))
    }
    #expect(Role.submitter.actions.contains(.readResults))
  }
}

import QubusCompiler
import Testing

@Suite struct PlanOperationTests {
  @Test func coefficientCountsFollowTheKind() {
    #expect(PlanOperation(kind: .negate, controlMask: 3, controlValue: 3).coefficientCount == 0)
    #expect(PlanOperation(kind: .diagonal, targets: [0, 4]).coefficientCount == 8)
    #expect(PlanOperation(kind: .linear, factorMask: 0b1011).coefficientCount == 8)
    #expect(PlanOperation(kind: .cross, targets: [7]).coefficientCount == 4)
    #expect(PlanOperation(kind: .dense, targets: [0, 1, 2]).coefficientCount == 128)
  }
}

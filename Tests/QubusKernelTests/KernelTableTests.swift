import CQubusKernels
import Testing

@Suite struct KernelTableTests {
  @Test func theReferenceIsAlwaysThere() throws {
    let table = try #require(qk_table_for(QK_REFERENCE))
    #expect(String(cString: table.pointee.name) == "reference")
  }

  @Test func theBestInstructionSetIsAvailable() {
    #expect(qk_isa_available(qk_best_isa()) == 1)
    #expect(qk_table_for(qk_best_isa()) != nil)
  }

  @Test func aFlipExchangesTheAmplitudesOfItsTarget() throws {
    let table = try #require(qk_table_for(QK_REFERENCE)).pointee
    var chunk = [Double](repeating: 0, count: 128)
    chunk[0] = 1
    var op = qk_op()
    op.kind = UInt8(QK_FLIP.rawValue)
    op.target_count = 1
    op.targets.0 = 3
    chunk.withUnsafeMutableBufferPointer { table.apply_f64($0.baseAddress, 6, &op, 1, nil) }
    // Amplitude 8 opens the second block of 8 re and 8 im.
    #expect(chunk[16] == 1 && chunk[0] == 0)
  }
}

import QubusCore
import Testing

@Suite("Philox 4×32-10")
struct PhiloxTests {
  /// Lines of `kat_vectors` of the Random123 distribution.
  @Test(
    "agrees with the known answers of Random123",
    arguments: [
      (
        SIMD4<UInt32>(repeating: 0), SIMD2<UInt32>(repeating: 0),
        SIMD4<UInt32>(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8)
      ),
      (
        SIMD4<UInt32>(repeating: .max), SIMD2<UInt32>(repeating: .max),
        SIMD4<UInt32>(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd)
      ),
      (
        SIMD4<UInt32>(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344),
        SIMD2<UInt32>(0xa409_3822, 0x299f_31d0),
        SIMD4<UInt32>(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1)
      ),
    ])
  func knownAnswers(counter: SIMD4<UInt32>, key: SIMD2<UInt32>, expected: SIMD4<UInt32>) {
    #expect(Philox.block(counter: counter, key0: key.x, key1: key.y) == expected)
  }

  @Test("a draw is 53 bits of the block at the documented counter")
  func counterLayout() {
    let seed: UInt64 = 0x299f_31d0_a409_3822
    let shot: UInt64 = 0xAB_1234_5678
    for draw: UInt32 in [0, 1, 6, 7] {
      let block = Philox.block(
        counter: SIMD4(
          draw >> 1, 0x1234_5678,
          0xAB | UInt32(Philox.Purpose.midCircuit.rawValue) << 8
            | 0xBEEF << 16, 0xCAFE_F00D),
        key0: 0xa409_3822, key1: 0x299f_31d0)
      let words = draw & 1 == 0 ? (block.x, block.y) : (block.z, block.w)
      let bits = UInt64(words.0) << 32 | UInt64(words.1)
      let uniform = Philox(seed: seed).uniform(
        draw: draw, shot: shot, purpose: .midCircuit, pub: 0xBEEF, row: 0xCAFE_F00D)
      #expect(uniform == Double(bits >> 11) / 0x1p53)
    }
  }

  @Test("every coordinate of the counter changes the draw, and draws lie in [0, 1)")
  func coordinatesMatter() {
    let base = draw(0, 0, .terminalSampling, 0, 0)
    let others = [
      draw(1, 0, .terminalSampling, 0, 0), draw(2, 0, .terminalSampling, 0, 0),
      draw(0, 1, .terminalSampling, 0, 0), draw(0, 1 << 39, .terminalSampling, 0, 0),
      draw(0, 0, .midCircuit, 0, 0), draw(0, 0, .terminalSampling, 1, 0),
      draw(0, 0, .terminalSampling, 0, 1),
    ]
    #expect(Set(others + [base]).count == others.count + 1)
    #expect((others + [base]).allSatisfy { $0 >= 0 && $0 < 1 })
  }

  @Test("draws of a run of shots are those of the single shots")
  func runs() {
    let first: UInt64 = (1 << 32) - 3
    let run = Philox(seed: 42).uniforms(
      shots: first..<first + 6, purpose: .terminalSampling, pub: 3, row: 4)
    #expect(run == (0..<6).map { draw(0, first + $0, .terminalSampling, 3, 4) })
  }

  @Test("the mean of a million draws is 1/2 within six standard errors (false alarm 2e-9)")
  func mean() {
    let shots = 1_000_000
    var sum = 0.0
    for shot in 0..<shots { sum += draw(0, UInt64(shot), .terminalSampling, 3, 4) }
    let standardError = (1.0 / 12 / Double(shots)).squareRoot()
    #expect(abs(sum / Double(shots) - 0.5) < 6 * standardError)
  }

  private func draw(
    _ draw: UInt32, _ shot: UInt64, _ purpose: Philox.Purpose, _ pub: UInt16, _ row: UInt32
  ) -> Double {
    Philox(seed: 42).uniform(draw: draw, shot: shot, purpose: purpose, pub: pub, row: row)
  }
}

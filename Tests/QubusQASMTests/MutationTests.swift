import QubusCore
import QubusQASM
import Testing

@Suite("Mutated programs")
struct MutationTests {
  private static let seeds = [
    """
    OPENQASM 2.0; include "qelib1.inc"; qreg q[3]; creg c[3];
    gate g(a,b) x1,x2 { cx x1,x2; u3(a/2,-b,sin(a)^2) x2; barrier x1,x2; }
    g(0.5,pi) q[0],q[1]; h q; measure q -> c; if(c==5) x q[0]; reset q[1]; opaque o(a) z;
    """,
    """
    OPENQASM 3.0; include "stdgates.inc"; const uint[8] n = 3; qubit[n] q; bit[n] c = "010";
    input angle[20] theta; input int[8] k; let a = q[0:2:2] ++ q[1]; uint[4] u = 5; bool done;
    gate g(a) x1, x2 { ctrl @ rx(a / 2) x1, x2; negctrl @ inv @ pow(2) @ s x1, x2; }
    for uint i in [0:n - 1] { rx(theta * 2) q[i]; if (u[1] == 1) { continue; } u += 1; break; }
    while (!done) { c[0] = measure q[0]; done = bool(c[0]); if (k > 3) end; else u <<= 1; }
    switch (int[3](c)) { case 1, 2 { x q[0]; } default { g(pi) q[0], q[1]; } }
    for int j in {1, -2} { gphase(j * 0x1F); } for bit b in c { } c[1:2] = "11"; barrier;
    delay[10ns] q[0]; // comment
    /* block */ pow(1/2.0) @ U(0.1, popcount(u), arccos(0.5)) q[-1]; #pragma x
    """,
  ]

  @Test(
    "give a circuit or an error with a code, never a crash", arguments: [1, 2, 3, 4] as [UInt64])
  func mutate(seed: UInt64) {
    var state = seed &* 0x9E37_79B9_7F4A_7C15
    func random(_ bound: Int) -> Int {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state % UInt64(bound))
    }
    var limits = Limits()
    limits.programOperations = 20_000
    let fragments = [
      "(", ")", "[", "]", "{", "}", ";", ",", "@", "**", "++", "->", "9223372036854775807", "-1",
      "0", "q", "c", "u", "ctrl", "for", "if", "measure", "π", "1e999", "\"01\"", "let", "gate",
    ].map { Array($0.utf8) }
    var accepted = 0
    for round in 0..<3000 {
      var program = Array(Self.seeds[round % 2].utf8)
      for _ in 0...random(4) {
        let place = random(program.count)
        switch random(5) {
        case 0: program[place] = UInt8(random(256))
        case 1: program.remove(at: place)
        case 2: program.insert(contentsOf: fragments[random(fragments.count)], at: place)
        case 3: program.swapAt(place, random(program.count))
        default: program.removeSubrange(place..<min(program.count, place + random(20)))
        }
        if program.isEmpty { program = [UInt8(ascii: " ")] }
      }
      do throws(QubusError) {
        _ = try OpenQASM.compile(program, limits: limits)
        accepted += 1
      } catch {
        // The limit on source bytes aside, every refusal has a place in the program.
        #expect(error.location != nil, "seed \(seed), round \(round): \(error)")
        #expect(
          error.code.rawValue < 2000 || error.code == .divisionByZero, "seed \(seed): \(error)")
      }
    }
    #expect(accepted > 0, "seed \(seed)")
  }
}

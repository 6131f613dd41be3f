import QubusCircuit
import QubusCore
import Testing

@Suite("Casts between classical types")
struct ValueConversionTests {
  @Test(
    "follow the specification's table",
    arguments: [
      (.bool(true), .int(width: 8), .int(1, width: 8)),
      (.bool(true), .float(width: 64), .float(1)),
      (.bool(true), .bits(width: 1), .bits(1, width: 1)),
      (.bool(true), .bits(width: 2), nil), (.bool(true), .angle(width: 4), nil),
      (.int(-1, width: 4), .uint(width: 4), .uint(15, width: 4)),
      (.uint(15, width: 4), .int(width: 4), .int(-1, width: 4)),
      (.int(300, width: 16), .uint(width: 8), .uint(44, width: 8)),
      (.int(-1, width: 4), .bits(width: 4), .bits(15, width: 4)),
      (.int(16, width: 8), .bits(width: 4), nil), (.int(1, width: 8), .angle(width: 4), nil),
      (.int(0, width: 8), .bool, .bool(false)), (.float(0.1), .bool, .bool(true)),
      (.float(-2.9), .int(width: 8), .int(-2, width: 8)),
      (.float(-1), .uint(width: 8), .uint(255, width: 8)), (.float(.nan), .int(width: 8), nil),
      (.float(1e30), .int(width: 64), nil),
      (.float(.pi), .angle(width: 4), .angle(raw: 8, width: 4)),
      (.float(-.pi / 2), .angle(width: 4), .angle(raw: 12, width: 4)),
      (.float(.infinity), .angle(width: 4), nil), (.float(1), .bits(width: 1), nil),
      (.angle(raw: 9, width: 4), .angle(width: 6), .angle(raw: 36, width: 6)),
      (.angle(raw: 0b0110, width: 4), .angle(width: 2), .angle(raw: 0b10, width: 2)),
      (.angle(raw: 0b0010, width: 4), .angle(width: 2), .angle(raw: 0, width: 2)),
      (.angle(raw: 0b1111, width: 4), .angle(width: 2), .angle(raw: 0, width: 2)),
      (.angle(raw: 9, width: 4), .bits(width: 4), .bits(9, width: 4)),
      (.angle(raw: 9, width: 4), .int(width: 4), nil),
      (.angle(raw: 0, width: 4), .bool, .bool(false)),
      (.bits(15, width: 4), .int(width: 4), .int(-1, width: 4)),
      (.bits(15, width: 4), .int(width: 8), .int(15, width: 8)),
      (.bits(15, width: 4), .uint(width: 3), nil), (.bits(15, width: 4), .bits(width: 5), nil),
      (.bits(9, width: 4), .angle(width: 4), .angle(raw: 9, width: 4)),
      (.bits(9, width: 4), .float(width: 64), nil),
    ] as [(Value, ScalarType, Value?)])
  func table(value: Value, type: ScalarType, expected: Value?) {
    #expect((try? value.converted(to: type)) == expected)
  }

  @Test("the nearest angle of a full turn is zero, also with 64 bits")
  func fullTurn() throws {
    #expect(try Value.nearestAngle(radians: 2 * .pi, width: 64) == .angle(raw: 0, width: 64))
    #expect(
      try Value.nearestAngle(radians: -1e-30, width: 64).pattern.map { $0 == 0 || $0 > 1 << 63 }
        == true)
    #expect(try Value.nearestAngle(radians: 1e300, width: 8).type == .angle(width: 8))
  }

  @Test(
    "job parameters outside the declared type are refused by name",
    arguments: [
      (.nan, .float(width: 64)), (.infinity, .angle(width: 8)), (0.5, .int(width: 8)),
      (128, .int(width: 8)), (-129, .int(width: 8)), (-1, .uint(width: 8)), (256, .uint(width: 8)),
      (2, .bool), (4, .bits(width: 2)), (1.8446744073709552e19, .uint(width: 64)),
    ] as [(Double, ScalarType)])
  func badInput(number: Double, type: ScalarType) {
    let error = #expect(throws: QubusError.self) {
      try Value.input(number, type: type, name: "theta")
    }
    #expect(error?.code == .invalidParameterValue)
    #expect(error?.violations.first?.field == "parameters.theta")
  }

  @Test("job parameters become values of the declared type")
  func input() throws {
    #expect(try Value.input(-128, type: .int(width: 8), name: "k") == .int(-128, width: 8))
    #expect(try Value.input(255, type: .uint(width: 8), name: "k") == .uint(255, width: 8))
    #expect(try Value.input(1, type: .bool, name: "k") == .bool(true))
    #expect(try Value.input(3, type: .bits(width: 2), name: "k") == .bits(3, width: 2))
    #expect(try Value.input(0.1, type: .float(width: 64), name: "k") == .float(0.1))
    #expect(try Value.input(.pi, type: .angle(width: 1), name: "k") == .angle(raw: 1, width: 1))
  }
}

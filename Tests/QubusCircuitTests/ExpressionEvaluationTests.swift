import QubusCircuit
import QubusCore
import Testing

@Suite("Evaluating expressions")
struct ExpressionEvaluationTests {
  private let state = ClassicalState(
    bits: [true, false, true, true], variables: [.int(-3, width: 8), .angle(raw: 9, width: 4)],
    inputs: [.float(0.25)])

  @Test("leaves read bits, registers, variables and inputs")
  func leaves() throws {
    #expect(try Expression.bit(2).evaluate(state) == .bits(1, width: 1))
    #expect(try Expression.register(offset: 1, width: 3).evaluate(state) == .bits(6, width: 3))
    #expect(try Expression.variable(0).evaluate(state) == .int(-3, width: 8))
    #expect(try Expression.input(0).evaluateDouble(state) == 0.25)
    let index = Expression.constant(.int(-1, width: 64))
    #expect(
      try Expression.element(offset: 0, width: 4, index: index).evaluate(state)
        == .bits(1, width: 1))
    #expect(
      try Expression.bitOf(.variable(0), index: .constant(.int(1, width: 64))).evaluate(state)
        == .bits(0, width: 1))
  }

  @Test("an index known only at run time is checked", arguments: [4, -5] as [Int64])
  func index(position: Int64) {
    let index = Expression.constant(.int(position, width: 64))
    let error = #expect(throws: QubusError.self) {
      try Expression.element(offset: 0, width: 4, index: index).evaluate(state)
    }
    #expect(error?.code == .indexOutOfRange)
  }

  @Test("integers wrap at the wider width; mixed signs follow C")
  func integers() throws {
    let a = Value.uint(250, width: 8), b = Value.uint(10, width: 8)
    #expect(try BinaryOperator.add.apply(a, b) == .uint(4, width: 8))
    #expect(try BinaryOperator.subtract.apply(b, a) == .uint(16, width: 8))
    #expect(
      try BinaryOperator.add.apply(.int(127, width: 8), .int(1, width: 8)) == .int(-128, width: 8))
    #expect(
      try BinaryOperator.add.apply(.int(-1, width: 16), .uint(1, width: 8)) == .int(0, width: 16))
    #expect(
      try BinaryOperator.subtract.apply(.uint(0, width: 8), .int(1, width: 8))
        == .uint(255, width: 8))
    #expect(
      try BinaryOperator.power.apply(.int(2, width: 64), .int(-1, width: 64)) == .float(0.5))
    #expect(try BinaryOperator.less.apply(.int(-1, width: 8), .uint(0, width: 64)) == .bool(true))
  }

  @Test("angles compute on their bit patterns, as the specification's examples say")
  func angles() throws {
    let a = Value.angle(raw: 7, width: 4), b = Value.angle(raw: 1, width: 4)
    let c = Value.angle(raw: 10, width: 4), two = Value.uint(2, width: 4)
    #expect(try BinaryOperator.add.apply(a, b) == .angle(raw: 8, width: 4))
    #expect(try BinaryOperator.subtract.apply(b, a) == .angle(raw: 10, width: 4))
    #expect(try BinaryOperator.divide.apply(a, two) == .angle(raw: 3, width: 4))
    #expect(try BinaryOperator.multiply.apply(two, c) == .angle(raw: 4, width: 4))
    #expect(try BinaryOperator.divide.apply(c, b) == .uint(10, width: 4))
    #expect(try UnaryOperator.minus.apply(.angle(raw: 2, width: 4)) == .angle(raw: 14, width: 4))
    #expect(try BinaryOperator.equal.apply(.angle(raw: 8, width: 4), .float(.pi)) == .bool(true))
    #expect(
      try BinaryOperator.shiftLeft.apply(.angle(raw: 9, width: 4), two) == .angle(raw: 4, width: 4))
    #expect(abs(try Expression.variable(1).evaluateDouble(state) - 9 * .pi / 8) < 1e-15)
  }

  @Test("rotations, shifts and counts of bits match the specification's examples")
  func bits() throws {
    let a = Value.bits(0b1000_1111, width: 8), b = Value.bits(0b0111_0000, width: 8)
    #expect(
      try BinaryOperator.shiftLeft.apply(a, .int(1, width: 64)) == .bits(0b0001_1110, width: 8))
    #expect(try Function.rotl.apply([a, .int(2, width: 64)]) == .bits(0b0011_1110, width: 8))
    #expect(try BinaryOperator.bitwiseOr.apply(a, b) == .bits(255, width: 8))
    #expect(try BinaryOperator.bitwiseAnd.apply(a, b) == .bits(0, width: 8))
    #expect(try Function.popcount.apply([.uint(37, width: 6)]) == .uint(3, width: 64))
    #expect(
      try Function.rotl.apply([.uint(37, width: 6), .int(3, width: 64)]) == .uint(44, width: 6))
    #expect(
      try Function.rotr.apply([.uint(1, width: 64), .int(1, width: 64)])
        == .uint(1 << 63, width: 64))
    #expect(
      try BinaryOperator.shiftLeft.apply(a, .int(1000, width: 64)) == .bits(0, width: 8))
  }

  @Test("division and modulo by zero have an error of their own")
  func zero() {
    let zeros: [(Value, Value)] = [
      (.int(1, width: 8), .int(0, width: 8)), (.uint(1, width: 8), .uint(0, width: 8)),
      (.float(1), .float(0)), (.angle(raw: 1, width: 4), .uint(0, width: 4)),
    ]
    for (a, b) in zeros {
      let error = #expect(throws: QubusError.self) { try BinaryOperator.divide.apply(a, b) }
      #expect(error?.code == .divisionByZero)
    }
    let least = Value.int(.min, width: 64)
    #expect(throws: Never.self) { try BinaryOperator.divide.apply(least, .int(-1, width: 64)) }
    #expect(throws: Never.self) { try BinaryOperator.modulo.apply(least, .int(-1, width: 64)) }
  }

  @Test("NaN and infinity are refused where a number is needed")
  func notFinite() {
    for function in [Function.log, .sqrt, .arccos] {
      let argument = Expression.radians(function == .log ? 0 : -2)
      let error = #expect(throws: QubusError.self) {
        try Expression.call(function, [argument]).evaluateDouble(.empty)
      }
      #expect(error?.code == .invalidParameterValue)
    }
  }

  @Test("logical operators do not evaluate what they need not")
  func shortCircuit() throws {
    let fault = Expression.binary(
      .divide, .constant(.int(1, width: 8)), .constant(.int(0, width: 8)))
    let no = Expression.constant(.bool(false)), yes = Expression.constant(.bool(true))
    #expect(try Expression.binary(.and, no, fault).evaluateBool(.empty) == false)
    #expect(try Expression.binary(.or, yes, fault).evaluateBool(.empty) == true)
  }

  @Test("dependencies list every bit, variable and input, also those of indices")
  func dependencies() {
    let expression = Expression.binary(
      .add, .element(offset: 4, width: 2, index: .variable(3)),
      .call(
        .sin, [.cast(.float(width: 64), .bitOf(.register(offset: 0, width: 2), index: .input(1)))]))
    let found = expression.dependencies
    #expect(found.bits == [0, 1, 4, 5])
    #expect(found.variables == [3])
    #expect(found.inputs == [1])
    #expect(Expression.radians(1).dependencies.isEmpty)
  }

  @Test("the static type of an operation is the type of its value, for all pairs of types")
  func types() {
    let values: [Value] = [
      .bool(true), .int(3, width: 8), .int(-3, width: 64), .uint(5, width: 8), .uint(5, width: 64),
      .float(1.5), .angle(raw: 3, width: 8), .bits(5, width: 4), .bits(1, width: 1),
    ]
    for a in values {
      for b in values {
        for raw in 0...UInt8.max {
          guard let operation = BinaryOperator(rawValue: raw) else { break }
          let type = operation.resultType(a.type, b.type)
          let value = try? operation.apply(a, b)
          if operation == .power, case .int(let exponent, _) = b, exponent < 0 { continue }
          if operation == .shiftLeft || operation == .shiftRight, (b.integer ?? 0) < 0 { continue }
          #expect(value?.type == type, "\(a) \(operation.text) \(b)")
        }
      }
    }
  }
}

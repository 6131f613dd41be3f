package import QubusCircuit

/// Writes a circuit as bytes, one way only: two circuits give the same bytes exactly when they
/// differ in nothing but names of registers and variables and in notices. Names of inputs count,
/// because jobs bind by them.
///
/// Every choice is a tag byte, every number a LEB128 integer or the 8 bytes of a double, every list
/// carries its length, so that the bytes can be read back in one way (the encoding is injective).
package struct CircuitEncoder {
  package private(set) var bytes: [UInt8] = []

  package init() {}

  package mutating func encode(_ circuit: Circuit) {
    bytes.reserveCapacity(64 + 16 * circuit.operations.count)
    write(tag: 1)
    write(circuit.qubitCount)
    write(circuit.bitCount)
    write(registers: circuit.qubitRegisters)
    write(registers: circuit.bitRegisters)
    write(circuit.inputs.count)
    for input in circuit.inputs {
      write(input.name.utf8.count)
      bytes.append(contentsOf: input.name.utf8)
      write(input.type)
    }
    write(circuit.variables.count)
    for variable in circuit.variables {
      write(variable.type)
      write(variable.initial)
    }
    write(circuit.operations)
  }

  // MARK: Numbers

  private mutating func write(tag: UInt8) { bytes.append(tag) }

  /// LEB128 of the two's complement pattern; small non-negative numbers take one byte.
  private mutating func write(_ number: Int) { write(pattern: UInt64(bitPattern: Int64(number))) }

  private mutating func write(pattern: UInt64) {
    var rest = pattern
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  private mutating func write(_ number: Double) {
    withUnsafeBytes(of: number.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
  }

  private mutating func write(registers: [Register]) {
    write(registers.count)
    for register in registers {
      write(register.offset)
      write(register.size)
    }
  }

  private mutating func write(_ type: ScalarType) {
    switch type {
    case .bool: write(tag: 0)
    case .int(let width): write(tag: 1, width)
    case .uint(let width): write(tag: 2, width)
    case .float(let width): write(tag: 3, width)
    case .angle(let width): write(tag: 4, width)
    case .bits(let width): write(tag: 5, width)
    }
  }

  private mutating func write(tag: UInt8, _ number: Int) {
    write(tag: tag)
    write(number)
  }

  private mutating func write(_ value: Value) {
    switch value {
    case .bool(let bool): write(tag: 0, bool ? 1 : 0)
    case .int(let number, let width):
      write(tag: 1, width)
      write(pattern: UInt64(bitPattern: number))
    case .uint(let number, let width):
      write(tag: 2, width)
      write(pattern: number)
    case .float(let number):
      write(tag: 3)
      write(number)
    case .angle(let raw, let width):
      write(tag: 4, width)
      write(pattern: raw)
    case .bits(let pattern, let width):
      write(tag: 5, width)
      write(pattern: pattern)
    }
  }

  // MARK: Expressions

  private mutating func write(_ expression: Expression) {
    switch expression {
    case .constant(let value):
      write(tag: 0)
      write(value)
    case .input(let index): write(tag: 1, index)
    case .variable(let index): write(tag: 2, index)
    case .bit(let index): write(tag: 3, index)
    case .register(let offset, let width):
      write(tag: 4, offset)
      write(width)
    case .element(let offset, let width, let index):
      write(tag: 5, offset)
      write(width)
      write(index)
    case .bitOf(let value, let index):
      write(tag: 6)
      write(value)
      write(index)
    case .unary(let operation, let operand):
      write(tag: 7)
      write(tag: operation.rawValue)
      write(operand)
    case .binary(let operation, let left, let right):
      write(tag: 8)
      write(tag: operation.rawValue)
      write(left)
      write(right)
    case .call(let function, let arguments):
      write(tag: 9)
      write(tag: function.rawValue)
      write(list: arguments)
    case .cast(let type, let operand):
      write(tag: 10)
      write(type)
      write(operand)
    }
  }

  private mutating func write(list: [Expression]) {
    write(list.count)
    for expression in list { write(expression) }
  }

  private mutating func write(list: [Int]) {
    write(list.count)
    for number in list { write(number) }
  }

  // MARK: Operations

  private mutating func write(_ operations: [Operation]) {
    write(operations.count)
    for operation in operations { write(operation) }
  }

  private mutating func write(_ operation: Operation) {
    switch operation {
    case .gate(let application):
      write(tag: 0)
      write(application)
    case .measure(let qubit, let target):
      write(tag: target == nil ? 1 : 2, qubit)
      if let target { write(target) }
    case .reset(let qubit): write(tag: 3, qubit)
    case .barrier(let qubits):
      write(tag: 4)
      write(list: qubits)
    case .assignBit(let target, let value):
      write(tag: 5)
      write(target)
      write(value)
    case .assignRegister(let offset, let width, let value):
      write(tag: 6, offset)
      write(width)
      write(value)
    case .assign(let variable, let value):
      write(tag: 7, variable)
      write(value)
    case .branch(let condition, let then, let otherwise):
      write(tag: 8)
      write(condition)
      write(then)
      write(otherwise)
    case .whileLoop(let condition, let body):
      write(tag: 9)
      write(condition)
      write(body)
    case .forLoop(let variable, let first, let step, let last, let body):
      write(tag: 10, variable)
      write(list: [first, step, last])
      write(body)
    case .select(let value, let cases, let otherwise):
      write(tag: 11)
      write(value)
      write(cases.count)
      for item in cases {
        write(list: item.values.map(Int.init))
        write(item.body)
      }
      write(otherwise)
    case .breakLoop: write(tag: 12)
    case .continueLoop: write(tag: 13)
    case .end: write(tag: 14)
    }
  }

  private mutating func write(_ application: GateApplication) {
    write(tag: application.gate.rawValue)
    for parameter in application.parameters { write(parameter) }
    for target in application.targets { write(target) }
    write(application.controls.count)
    for control in application.controls { write(control.qubit * 2 + (control.isPositive ? 1 : 0)) }
    write(tag: application.exponent == nil ? 0 : 1)
    if let exponent = application.exponent { write(exponent) }
  }

  private mutating func write(_ target: BitTarget) {
    switch target {
    case .bit(let bit): write(tag: 0, bit)
    case .element(let offset, let width, let index):
      write(tag: 1, offset)
      write(width)
      write(index)
    case .variable(let variable, let index):
      write(tag: 2, variable)
      write(index)
    case .bool(let variable): write(tag: 3, variable)
    }
  }
}

import QubusCircuit
import QubusCore

extension Expression {
  func evaluate(_ state: ClassicalState) throws(QubusError) -> Value {
    switch self {
    case .constant(let v): return v
    case .input(let i): return state.inputs[i]
    case .variable(let i): return state.variables[i]
    case .bit(let i): return .bool(state.bits[i])
    case .register(let offset, let width):
      var v: UInt64 = 0
      for b in 0..<width where state.bits[offset + b] { v |= 1 << UInt64(b) }
      return .bits(v, width: width)
    case .unary(.not, let e):
      if case .bool(let b) = try e.evaluate(state).converted(to: .bool) { return .bool(!b) }
    case .unary(.minus, let e):
      if case .float(let b) = try e.evaluate(state).converted(to: .float(width: 64)) { return .float(-b) }
    case .binary(let op, let l, let r):
      guard case .float(let a) = try l.evaluate(state).converted(to: .float(width: 64)),
        case .float(let b) = try r.evaluate(state).converted(to: .float(width: 64))
      else { break }
      switch op {
      case .equal: return .bool(a == b)
      case .notEqual: return .bool(a != b)
      case .less: return .bool(a < b)
      case .greaterOrEqual: return .bool(a >= b)
      case .add: return .int(Int64(a + b), width: 64)
      case .multiply: return .float(a * b)
      default: break
      }
    default: break
    }
    throw QubusError(.notImplemented, "evaluation")
  }
}
extension Value {
  func converted(to type: ScalarType) throws(QubusError) -> Value {
    let d: Double
    switch self {
    case .bool(let b): d = b ? 1 : 0
    case .int(let i, _): d = Double(i)
    case .uint(let i, _), .bits(let i, _): d = Double(i)
    case .float(let f): d = f
    case .angle(let r, let w): d = Double(r) / Double(sign: .plus, exponent: w, significand: 1) * 2 * .pi
    }
    switch type {
    case .bool: return .bool(d != 0)
    case .int(let w): return .int(Int64(d), width: w)
    case .uint(let w): return .uint(UInt64(d), width: w)
    case .float: return .float(d)
    case .angle(let w): return .angle(raw: UInt64(d), width: w)
    case .bits(let w): return .bits(UInt64(d), width: w)
    }
  }
}

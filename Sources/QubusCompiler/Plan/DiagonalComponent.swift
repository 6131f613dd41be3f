internal import QubusCircuit

/// A number that a diagonal gate contributes to one condition "all these bits are 1".
///
/// diag(d00, d01, d10, d11) = u0 · u1^a · u2^b · u3^(ab) with u0 = d00, u1 = d01/d00,
/// u2 = d10/d00 and u3 = d11 d00 / (d01 d10); entries have magnitude 1, so dividing is
/// multiplying by the conjugate. Bits 0–1 choose u, bit 2 its inverse.
struct DiagonalComponent: Sendable, Hashable {
  var rawValue: UInt8

  init(_ monomial: UInt8, isInverse: Bool = false) { rawValue = monomial | (isInverse ? 4 : 0) }

  var monomial: Int { Int(rawValue & 3) }
  var isInverse: Bool { rawValue & 4 != 0 }
  var inverse: DiagonalComponent { DiagonalComponent(rawValue & 3, isInverse: !isInverse) }

  /// The number, from a source's entries.
  /// - Parameter flippedBits: index bits of the source that are exchanged.
  @inline(__always)
  func number(flippedBits: UInt8, entry: (Int) -> Complex) -> Complex {
    let flip = Int(flippedBits)
    var number = entry(flip)
    switch monomial {
    case 0: break
    case 1: number = entry(1 ^ flip) * number.conjugate
    case 2: number = entry(2 ^ flip) * number.conjugate
    default:
      number = (entry(3 ^ flip) * number) * (entry(1 ^ flip) * entry(2 ^ flip)).conjugate
    }
    return isInverse ? number.conjugate : number
  }
}

extension BoundGateList {
  /// Complex number `index` of a gate.
  @inline(__always)
  func number(_ gate: BoundGate, _ index: Int) -> Complex {
    Complex(coefficients[gate.offset + 2 * index], coefficients[gate.offset + 2 * index + 1])
  }
}

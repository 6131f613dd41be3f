package import QubusCore

/// One term of an observable: coefficient × a Pauli string, given by its X and Z masks
/// (Y has both bits set). Bit 0 is qubit 0.
package struct PauliTerm: Sendable, Hashable {
  package var x: UInt64
  package var z: UInt64
  package var coefficient: Double

  package init(x: UInt64, z: UInt64, coefficient: Double) {
    self.x = x
    self.z = z
    self.coefficient = coefficient
  }
}

/// A real linear combination of Pauli strings over `qubitCount` qubits.
package struct PauliSum: Sendable, Hashable {
  package var qubitCount: Int
  package var terms: [PauliTerm]

  package init(qubitCount: Int, terms: [PauliTerm]) {
    self.qubitCount = qubitCount
    self.terms = terms
  }

  /// Reads strings as Qiskit writes them: the leftmost letter acts on the highest qubit.
  /// - Parameter field: path of the observable in the request, named by errors.
  /// - Throws: `invalid_observable` for a wrong length, letter or coefficient.
  package init(
    _ strings: [(pauli: String, coefficient: Double)], qubitCount: Int, field: String
  ) throws(QubusError) {
    self.init(qubitCount: qubitCount, terms: [])
    terms.reserveCapacity(strings.count)
    for (index, entry) in strings.enumerated() {
      let place = "\(field).terms[\(index)]"
      guard entry.coefficient.isFinite else {
        throw .field(.invalidObservable, place + ".coefficient", "is not a finite number")
      }
      let letters = Array(entry.pauli.utf8)
      guard letters.count == qubitCount else {
        throw .field(
          .invalidObservable, place + ".pauli",
          "has \(letters.count) letters, the program has \(qubitCount) qubits",
          limit: "\(qubitCount) letters")
      }
      var term = PauliTerm(x: 0, z: 0, coefficient: entry.coefficient)
      for (position, letter) in letters.enumerated() {
        let bit = UInt64(1) << UInt64(qubitCount - 1 - position)
        switch letter {
        case UInt8(ascii: "I"): break
        case UInt8(ascii: "X"): term.x |= bit
        case UInt8(ascii: "Y"):
          term.x |= bit
          term.z |= bit
        case UInt8(ascii: "Z"): term.z |= bit
        default:
          throw .field(
            .invalidObservable, place + ".pauli",
            "letter \(position + 1) is '\(Character(UnicodeScalar(letter)))'", limit: "I, X, Y or Z"
          )
        }
      }
      terms.append(term)
    }
    guard terms.reduce(0, { $0 + abs($1.coefficient) }).isFinite else {
      throw .field(
        .invalidObservable, field, "has coefficients whose magnitudes add up beyond all numbers")
    }
  }
}

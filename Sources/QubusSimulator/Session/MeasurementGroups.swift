internal import QubusCircuit

/// Pauli strings that commute qubit by qubit, so that one measurement serves them all.
struct MeasurementGroup: Sendable, Hashable {
  /// Qubits measured in the X, Y and Z basis; the others do not matter.
  var x: UInt64 = 0
  var y: UInt64 = 0
  var z: UInt64 = 0
  /// For each observable its strings of this group.
  var terms: [[Term]]

  struct Term: Sendable, Hashable {
    /// Qubits whose outcomes make the sign.
    var mask: UInt64
    var coefficient: Double
  }

  init(observables: Int) { terms = [[Term]](repeating: [], count: observables) }

  /// Root of the summed squares of all coefficients: what the group adds to errors, roughly.
  var weight: Double {
    var sum = 0.0
    for term in terms.joined() { sum += term.coefficient * term.coefficient }
    return sum.squareRoot()
  }

  func admits(_ term: PauliTerm) -> Bool {
    let letters = Letters(term)
    return letters.x & (y | z) == 0 && letters.y & (x | z) == 0 && letters.z & (x | y) == 0
  }

  fileprivate mutating func add(_ term: PauliTerm, observable: Int) {
    let letters = Letters(term)
    x |= letters.x
    y |= letters.y
    z |= letters.z
    terms[observable].append(Term(mask: term.x | term.z, coefficient: term.coefficient))
  }

  private struct Letters {
    let x: UInt64
    let y: UInt64
    let z: UInt64

    init(_ term: PauliTerm) {
      x = term.x & ~term.z
      y = term.x & term.z
      z = term.z & ~term.x
    }
  }
}

/// The measurements that estimate a list of observables.
struct MeasurementGroups: Sendable {
  private(set) var groups: [MeasurementGroup] = []
  /// What strings without letters add to each observable.
  private(set) var constants: [Double]

  /// Sorted insertion: strings by falling magnitude, each into the first group that admits it.
  /// - Source: Crawford et al. 2021, "Efficient quantum measurement of Pauli operators in the
  ///   presence of finite sampling error", §4; checked by `MeasurementGroupTests`.
  init(_ observables: [PauliSum]) {
    constants = [Double](repeating: 0, count: observables.count)
    var strings: [(term: PauliTerm, observable: Int)] = []
    for (index, observable) in observables.enumerated() {
      for term in observable.terms {
        if term.x | term.z == 0 {
          constants[index] += term.coefficient
        } else if term.coefficient != 0 {
          strings.append((term, index))
        }
      }
    }
    let order = strings.indices.sorted {
      (-abs(strings[$0].term.coefficient), $0) < (-abs(strings[$1].term.coefficient), $1)
    }
    for index in order {
      let (term, observable) = strings[index]
      let place = groups.firstIndex { $0.admits(term) } ?? groups.count
      if place == groups.count {
        groups.append(MeasurementGroup(observables: observables.count))
      }
      groups[place].add(term, observable: observable)
    }
  }

  /// Shares shots among the groups in proportion to their weights, by largest remainders. With
  /// `first`, every group has at least two, where there are enough, so that its variance is known.
  func shares(of shots: UInt64, first: Bool) -> [UInt64] {
    let count = UInt64(groups.count)
    guard count > 0 else { return [] }
    let least = first ? min(2, shots / count) : 0
    let rest = shots - least * count
    let weights = groups.map(\.weight)
    let total = weights.reduce(0, +)
    let exact = weights.map { Double(rest) * $0 / total }
    var shares = exact.map { least + UInt64($0) }
    let missing = shots - min(shots, shares.reduce(0, +))
    let order = exact.indices.sorted {
      (-(exact[$0] - exact[$0].rounded(.down)), $0)
        < (-(exact[$1] - exact[$1].rounded(.down)), $1)
    }
    for place in 0..<Int(missing) { shares[order[place % order.count]] += 1 }
    return shares
  }
}

internal import CQubusKernels
package import QubusCircuit
internal import QubusCompiler
package import QubusCore

/// An observable laid out for states with given positions: Pauli strings grouped by X mask, groups
/// ordered so that the chunks that one pass pairs up stay in cache. Made once, used for any number
/// of states; one evaluation of a state of one chunk allocates nothing.
package final class PreparedPauliSum: Sendable {
  package let positions: [UInt8]
  /// Bits of an index that can be 1, and those of a chunk.
  private let bitCount: Int
  private let chunkBits: Int
  private let groups: [qr_group]
  private let terms: [qr_term]
  private let passes: [Pass]
  /// Groups evaluated between two looks at the cancellation flag.
  private static let passGroups = 1024
  /// 2^3 chunks of 64 KiB stay in the second cache.
  private static let passDimension = 3

  /// Groups whose X masks over the chunk number lie in one space of few dimensions.
  private struct Pass: Sendable {
    var groups: Range<Int>
    /// Independent masks; the highest bit of each is set in no other.
    var basis: [UInt64]
    /// The space that the masks span, and the chunk number's bits that number its cosets.
    var members: [UInt64] = []
    var free: UInt64 = 0
  }

  /// - Parameter positions: those of the states to come, one for each qubit of the observable.
  package init(_ observable: PauliSum, positions: [UInt8]) {
    precondition(positions.count >= observable.qubitCount)
    self.positions = positions
    // Smaller states are padded with zeros up to an octet and more.
    bitCount = max(3, (positions.max().map { Int($0) + 1 } ?? 0))
    chunkBits = min(bitCount, Int(QR_CHUNK_BITS))
    let permuted = observable.terms.map { term in
      PauliTerm(
        x: Self.permute(term.x, positions), z: Self.permute(term.z, positions),
        coefficient: term.coefficient)
    }
    var byMask: [[PauliTerm]] = []
    var groupOf: [UInt64: Int] = [:]
    for term in permuted {
      if let group = groupOf[term.x] {
        byMask[group].append(term)
      } else {
        groupOf[term.x] = byMask.count
        byMask.append([term])
      }
    }
    let bits = chunkBits
    let (order, passes) = Self.plan(byMask.map { $0[0].x >> UInt64(bits) })
    let chunkMask = (UInt64(1) << UInt64(bitCount - bits)) - 1
    self.passes = passes.map { pass in
      var pass = pass
      pass.members = Self.span(pass.basis)
      pass.free = chunkMask & ~pass.basis.reduce(0) { $0 | Self.highestBit($1) }
      return pass
    }
    var groups: [qr_group] = []
    var terms: [qr_term] = []
    for index in order {
      let (group, own) = Self.group(byMask[index], chunkBits: bits, first: terms.count)
      groups.append(group)
      terms += own
    }
    self.groups = groups
    self.terms = terms
  }

  static func permute(_ mask: UInt64, _ positions: [UInt8]) -> UInt64 {
    var (rest, result) = (mask, UInt64(0))
    while rest != 0 {
      result |= 1 << UInt64(positions[rest.trailingZeroBitCount])
      rest &= rest - 1
    }
    return result
  }

  private static func group(
    _ members: [PauliTerm], chunkBits: Int, first: Int
  ) -> (qr_group, [qr_term]) {
    let x = members[0].x
    let low = (UInt64(1) << UInt64(chunkBits)) - 1
    var group = qr_group(
      x_high: x >> UInt64(chunkBits), x_low: UInt32(x & low), first_term: UInt32(first),
      term_count: UInt32(members.count), skip: UInt8(QR_NO_SKIP),
      skip_chunk: UInt8(QR_NO_SKIP), parts: 0)
    // i and i ^ x give the same, so half of the indices are enough.
    let top = 63 - x.leadingZeroBitCount
    if top >= chunkBits {
      group.skip_chunk = UInt8(top - chunkBits)
    } else if top >= 3 {
      group.skip = UInt8(top - 3)
    }
    let factor: Double = top >= 3 ? 2 : 1
    let terms = members.map { term in
      // ⟨P⟩ = Σ (-i)^k (-1)^{z·i} conj(a_i) a_{i^x} with k the number of Ys.
      let quarter = (term.x & term.z).nonzeroBitCount & 3
      var zLow = term.z & low
      if group.skip != UInt8(QR_NO_SKIP) {
        let below = (UInt64(1) << UInt64(top)) - 1
        zLow = (zLow >> 1) & ~below | zLow & below
      }
      group.parts |= 1 << UInt8(quarter & 1)
      return qr_term(
        weight: (quarter >= 2 ? -factor : factor) * term.coefficient,
        z_high: term.z >> UInt64(chunkBits), z_low: UInt32(zLow), part: UInt32(quarter & 1))
    }
    return (group, terms)
  }

  /// Collects groups whose masks over the chunk number span few dimensions.
  private static func plan(_ masks: [UInt64]) -> (order: [Int], passes: [Pass]) {
    var order: [Int] = []
    var passes: [Pass] = []
    var rest = masks.indices.sorted { (masks[$0], $0) < (masks[$1], $1) }[...]
    while !rest.isEmpty {
      var basis: [UInt64] = []
      let start = order.count
      var left: [Int] = []
      // Far groups are not searched, so that many groups stay cheap to prepare.
      let window = rest.prefix(4 * passGroups)
      for group in window {
        let reduced = basis.reduce(masks[group]) { min($0, $0 ^ $1) }
        let fits = order.count - start < passGroups
        if fits && (reduced == 0 || basis.count < passDimension) {
          order.append(group)
          if reduced != 0 { basis = (basis + [reduced]).sorted(by: >) }
        } else {
          left.append(group)
        }
      }
      passes.append(Pass(groups: start..<order.count, basis: reduced(basis)))
      rest = (left + rest.dropFirst(window.count))[...]
    }
    return (order, passes)
  }

  /// Clears the highest bit of every mask from the others.
  private static func reduced(_ basis: [UInt64]) -> [UInt64] {
    var basis = basis
    for index in basis.indices {
      let top = UInt64(1) << UInt64(63 - basis[index].leadingZeroBitCount)
      for other in basis.indices where other != index && basis[other] & top != 0 {
        basis[other] ^= basis[index]
      }
    }
    return basis
  }

  // MARK: Evaluation

  /// The exact expectation value ⟨ψ|O|ψ⟩, not divided by the norm.
  /// - Complexity: O(2^n groups + terms 2^(n - 12)).
  package func value(_ state: BlockedState, _ context: KernelContext) throws(QubusError) -> Double {
    if state.chunkCount == 1 {
      return try withUnsafeTemporaryAllocation(of: Double.self, capacity: 1) {
        (sums) throws(QubusError) in
        try value(state, sums.baseAddress.unsafelyUnwrapped, context)
      }
    }
    var sums = [Double](repeating: 0, count: state.chunkCount)
    return try sums.withUnsafeMutableBufferPointer { (sums) throws(QubusError) in
      try value(state, sums.baseAddress.unsafelyUnwrapped, context)
    }
  }

  /// The same without allocations.
  /// - Parameter sums: room for one number for each chunk of the state.
  func value(
    _ state: BlockedState, _ sums: UnsafeMutablePointer<Double>, _ context: KernelContext
  ) throws(QubusError) -> Double {
    precondition(state.positions == positions)
    if terms.isEmpty { return 0 }
    let chunks = 1 << (bitCount - chunkBits)
    if chunks == 1 {
      // Passes split by number of groups only.
      var total = 0.0
      for pass in passes {
        try context.check()
        total += sum(state, chunk: 0, pass.groups)
      }
      return total
    }
    sums.update(repeating: 0, count: chunks)
    nonisolated(unsafe) let sums = sums
    for pass in passes {
      // Chunk numbers of a coset differ in the space that the pass pairs up.
      let cosets = chunks / pass.members.count
      let grain = max(1, min(cosets / 16, 8 / pass.members.count))
      try context.forRuns(cosets, grain: grain) { run in
        for coset in run {
          let base = UInt64(BlockedState.deposit(coset, into: Int(pass.free)))
          for member in pass.members {
            sums[Int(base ^ member)] += sum(state, chunk: base ^ member, pass.groups)
          }
        }
      }
    }
    return foldByHalves(sums, count: chunks)
  }

  private static func highestBit(_ mask: UInt64) -> UInt64 {
    1 << UInt64(63 - mask.leadingZeroBitCount)
  }

  private static func span(_ basis: [UInt64]) -> [UInt64] {
    basis.reduce([0]) { members, mask in members + members.map { $0 ^ mask } }
  }

  private func sum(_ state: BlockedState, chunk: UInt64, _ range: Range<Int>) -> Double {
    let octets = 1 << (chunkBits - 3)
    return groups.withUnsafeBufferPointer { groups in
      terms.withUnsafeBufferPointer { terms in
        let first = groups.baseAddress.unsafelyUnwrapped + range.lowerBound
        switch state.precision {
        case .double:
          return Reductions.table.pauli_sum_f64(
            state.doubles, octets, chunk, first, range.count, terms.baseAddress)
        case .single:
          return Reductions.table.pauli_sum_f32(
            state.floats, octets, chunk, first, range.count, terms.baseAddress)
        }
      }
    }
  }
}

extension BlockedState {
  /// The exact expectation value of an observable prepared for this state's positions.
  package func expectation(
    _ observable: PreparedPauliSum, _ context: KernelContext
  ) throws(QubusError) -> Double {
    try observable.value(self, context)
  }
}

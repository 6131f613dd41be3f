internal import CQubusKernels
internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore

/// Many numbers 2 Im⟨λ|G|ψ⟩ of one pair of states, one for each generator G, in one pass.
final class PreparedOverlaps: Sendable {
  private let chunkBits: Int
  private let chunks: Int
  private let groups: [qr_group]
  private let terms: [qr_term]
  /// The generator that each term belongs to.
  private let owners: [Int]
  let generatorCount: Int

  /// - Parameter bitCount: index bits of the states to come.
  init(_ generators: [[PauliTerm]], positions: [UInt8], bitCount: Int) {
    let chunkBits = min(bitCount, Int(QR_CHUNK_BITS))
    self.chunkBits = chunkBits
    chunks = 1 << (bitCount - chunkBits)
    generatorCount = generators.count
    var byMask: [(x: UInt64, members: [(PauliTerm, Int)])] = []
    var groupOf: [UInt64: Int] = [:]
    for (owner, generator) in generators.enumerated() {
      for term in generator {
        let moved = PauliTerm(
          x: PreparedPauliSum.permute(term.x, positions),
          z: PreparedPauliSum.permute(term.z, positions), coefficient: term.coefficient)
        if let group = groupOf[moved.x] {
          byMask[group].members.append((moved, owner))
        } else {
          groupOf[moved.x] = byMask.count
          byMask.append((moved.x, [(moved, owner)]))
        }
      }
    }
    let low = (UInt64(1) << UInt64(chunkBits)) - 1
    var (groups, terms, owners): ([qr_group], [qr_term], [Int]) = ([], [], [])
    for (x, members) in byMask {
      // Runs that the kernel sums without a transform buffer of unbounded size.
      var group = qr_group(
        x_high: x >> UInt64(chunkBits), x_low: UInt32(x & low), first_term: UInt32(terms.count),
        term_count: UInt32(members.count), skip: UInt8(QR_NO_SKIP),
        skip_chunk: UInt8(QR_NO_SKIP), parts: 0)
      for (term, owner) in members {
        // Im((-i)^k w) for k = 0 … 3 is Im w, -Re w, -Im w, Re w.
        let quarter = (term.x & term.z).nonzeroBitCount & 3
        let part = UInt32(1 - quarter & 1)
        group.parts |= 1 << UInt8(part)
        let factor: Double = quarter == 1 || quarter == 2 ? -2 : 2
        terms.append(
          qr_term(
            weight: factor * term.coefficient, z_high: term.z >> UInt64(chunkBits),
            z_low: UInt32(term.z & low), part: part))
        owners.append(owner)
      }
      groups.append(group)
    }
    (self.groups, self.terms, self.owners) = (groups, terms, owners)
  }

  /// Re⟨λ|ψ⟩ as the only number.
  init(bitCount: Int) {
    chunkBits = min(bitCount, Int(QR_CHUNK_BITS))
    chunks = 1 << (bitCount - chunkBits)
    generatorCount = 1
    groups = [
      qr_group(
        x_high: 0, x_low: 0, first_term: 0, term_count: 1, skip: UInt8(QR_NO_SKIP),
        skip_chunk: UInt8(QR_NO_SKIP), parts: 1)
    ]
    terms = [qr_term(weight: 1, z_high: 0, z_low: 0, part: 0)]
    owners = [0]
  }

  /// Numbers that `values` works with.
  var scratchCount: Int { chunks * terms.count }

  /// Writes one number for each generator. Allocates nothing.
  /// - Parameter sums: room for `scratchCount` numbers.
  func values(
    _ left: BlockedState, _ right: BlockedState, _ sums: UnsafeMutablePointer<Double>,
    to result: UnsafeMutablePointer<Double>, _ context: KernelContext
  ) throws(QubusError) {
    result.update(repeating: 0, count: generatorCount)
    let count = terms.count
    if count == 0 { return }
    // Row c holds the values of all terms in chunk c.
    nonisolated(unsafe) let sums = sums
    try context.forRuns(chunks, grain: 1) { run in
      for chunk in run { fill(sums + chunk * count, left, right, chunk) }
    }
    var half = chunks / 2
    while half > 0 {
      for index in 0..<half * count { sums[index] += sums[index + half * count] }
      half /= 2
    }
    for term in 0..<count { result[owners[term]] += sums[term] }
  }

  private func fill(
    _ values: UnsafeMutablePointer<Double>, _ left: BlockedState, _ right: BlockedState,
    _ chunk: Int
  ) {
    let octets = 1 << (chunkBits - 3)
    switch left.precision {
    case .double:
      Reductions.table.pauli_values_f64(
        left.doubles, right.doubles, octets, UInt64(chunk), groups, groups.count, terms, values)
    case .single:
      Reductions.table.pauli_values_f32(
        left.floats, right.floats, octets, UInt64(chunk), groups, groups.count, terms, values)
    }
  }
}

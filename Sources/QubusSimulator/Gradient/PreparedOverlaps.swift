internal import CQubusKernels
internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore

/// Many numbers 2 Im⟨λ|P|ψ⟩ of one pair of states, one for each Pauli string P, in one pass.
final class PreparedOverlaps: Sendable {
  private let chunkBits: Int
  private let chunks: Int
  /// Positions of which X and Y are read, two numbers each, before those of the terms.
  private let flips: UInt64
  /// 1: X alone, 2: Y alone, 3: both.
  private let flipParts: UInt32
  private let groups: [qr_group]
  private let terms: [qr_term]
  /// Where each string's number is found, and what it is multiplied by.
  private let sources: [(place: Int, factor: Double)]
  var stringCount: Int { sources.count }
  /// Numbers of a chunk.
  private var width: Int { 2 * flips.nonzeroBitCount + terms.count }

  /// - Parameters:
  ///   - strings: with their coefficients as factors.
  ///   - bitCount: index bits of the states to come.
  init(_ strings: [PauliTerm], positions: [UInt8], bitCount: Int) {
    let chunkBits = min(bitCount, Int(QR_CHUNK_BITS))
    self.chunkBits = chunkBits
    chunks = 1 << (bitCount - chunkBits)
    let moved = strings.map {
      PauliTerm(
        x: PreparedPauliSum.permute($0.x, positions),
        z: PreparedPauliSum.permute($0.z, positions), coefficient: $0.coefficient)
    }
    var flips: UInt64 = 0
    var flipParts: UInt32 = 0
    for term in moved where Self.isFlip(term) {
      flips |= term.x
      flipParts |= term.z == 0 ? 1 : 2
    }
    self.flipParts = flipParts
    var byMask: [(x: UInt64, members: [Int])] = []
    var groupOf: [UInt64: Int] = [:]
    for (index, term) in moved.enumerated() where !Self.isFlip(term) {
      if let group = groupOf[term.x] {
        byMask[group].members.append(index)
      } else {
        groupOf[term.x] = byMask.count
        byMask.append((term.x, [index]))
      }
    }
    var sources = moved.map { term -> (place: Int, factor: Double) in
      guard Self.isFlip(term) else { return (0, 0) }
      let below = (flips & (term.x - 1)).nonzeroBitCount
      return (2 * below + (term.z == 0 ? 0 : 1), 2 * term.coefficient)
    }
    let low = (UInt64(1) << UInt64(chunkBits)) - 1
    var (groups, terms): ([qr_group], [qr_term]) = ([], [])
    for (x, members) in byMask {
      // Runs that the kernel sums without a transform buffer of unbounded size.
      var group = qr_group(
        x_high: x >> UInt64(chunkBits), x_low: UInt32(x & low), first_term: UInt32(terms.count),
        term_count: UInt32(members.count), skip: UInt8(QR_NO_SKIP),
        skip_chunk: UInt8(QR_NO_SKIP), parts: 0)
      for index in members {
        let term = moved[index]
        // Im((-i)^k w) for k = 0 … 3 is Im w, -Re w, -Im w, Re w.
        let quarter = (term.x & term.z).nonzeroBitCount & 3
        let part = UInt32(1 - quarter & 1)
        group.parts |= 1 << UInt8(part)
        let factor: Double = quarter == 1 || quarter == 2 ? -2 : 2
        sources[index] = (2 * flips.nonzeroBitCount + terms.count, factor * term.coefficient)
        terms.append(
          qr_term(
            weight: 1, z_high: term.z >> UInt64(chunkBits), z_low: UInt32(term.z & low),
            part: part))
      }
      groups.append(group)
    }
    (self.flips, self.groups, self.terms, self.sources) = (flips, groups, terms, sources)
  }

  /// True for X and Y of one qubit.
  private static func isFlip(_ term: PauliTerm) -> Bool {
    term.x.nonzeroBitCount == 1 && (term.z == 0 || term.z == term.x)
  }

  /// Re⟨λ|ψ⟩ as the only number.
  init(bitCount: Int) {
    chunkBits = min(bitCount, Int(QR_CHUNK_BITS))
    chunks = 1 << (bitCount - chunkBits)
    flips = 0
    flipParts = 0
    groups = [
      qr_group(
        x_high: 0, x_low: 0, first_term: 0, term_count: 1, skip: UInt8(QR_NO_SKIP),
        skip_chunk: UInt8(QR_NO_SKIP), parts: 1)
    ]
    terms = [qr_term(weight: 1, z_high: 0, z_low: 0, part: 0)]
    sources = [(0, 1)]
  }

  /// Numbers that `values` works with.
  var scratchCount: Int { chunks * width }

  /// Writes one number for each string. Allocates nothing.
  /// - Parameter sums: room for `scratchCount` numbers.
  func values(
    _ left: BlockedState, _ right: BlockedState, _ sums: UnsafeMutablePointer<Double>,
    to result: UnsafeMutablePointer<Double>, _ context: KernelContext
  ) throws(QubusError) {
    let width = width
    if width == 0 { return }
    // Row c holds the numbers of chunk c.
    nonisolated(unsafe) let sums = sums
    try context.forRuns(chunks, grain: 1) { run in
      for chunk in run { fill(sums + chunk * width, left, right, chunk) }
    }
    var half = chunks / 2
    while half > 0 {
      for index in 0..<half * width { sums[index] += sums[index + half * width] }
      half /= 2
    }
    for index in sources.indices {
      result[index] = sources[index].factor * sums[sources[index].place]
    }
  }

  private func fill(
    _ values: UnsafeMutablePointer<Double>, _ left: BlockedState, _ right: BlockedState,
    _ chunk: Int
  ) {
    let octets = 1 << (chunkBits - 3)

    let rest = values + 2 * flips.nonzeroBitCount
    switch left.precision {
    case .double:
      if flips != 0 {
        Reductions.table.flip_values_f64(
          left.doubles, right.doubles, octets, UInt64(chunk), flips, flipParts, values)
      }
      Reductions.table.pauli_values_f64(
        left.doubles, right.doubles, octets, UInt64(chunk), groups, groups.count, terms, rest)
    case .single:
      if flips != 0 {
        Reductions.table.flip_values_f32(
          left.floats, right.floats, octets, UInt64(chunk), flips, flipParts, values)
      }
      Reductions.table.pauli_values_f32(
        left.floats, right.floats, octets, UInt64(chunk), groups, groups.count, terms, rest)
    }
  }
}

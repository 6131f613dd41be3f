package import QubusCircuit
package import QubusCore

/// Sums over amplitudes. Chunks of 2^12 amplitudes are summed in lanes by index, chunk sums by a
/// binary tree over the chunk number: the tree depends on amplitude indices only, so any number of
/// threads gives the same bits.
extension ReferenceStateVector {
  static let chunkSize = 1 << 12

  var chunkCount: Int { max(1, count / Self.chunkSize) }

  /// Σ|a|² of every chunk.
  func chunkNorms(_ context: KernelContext) throws(QubusError) -> [Double] {
    let amplitudes = amplitudes
    let size = min(count, Self.chunkSize)
    return try chunkSums(context) { chunk in
      let start = amplitudes + chunk * size
      var lanes = SIMD4<Double>()
      var i = 0
      while i + 4 <= size {
        lanes += SIMD4(norm(start[i]), norm(start[i + 1]), norm(start[i + 2]), norm(start[i + 3]))
        i += 4
      }
      var sum = (lanes.x + lanes.y) + (lanes.z + lanes.w)
      while i < size {
        sum += norm(start[i])
        i += 1
      }
      return sum
    }
  }

  /// Σ|a|².
  package func normSquared(_ context: KernelContext) throws(QubusError) -> Double {
    Self.treeSum(try chunkNorms(context)[...])
  }

  /// Probabilities (before normalisation) that `qubit` is 0 and 1.
  package func probabilities(
    qubit: Int, _ context: KernelContext
  ) throws(QubusError) -> (zero: Double, one: Double) {
    let amplitudes = amplitudes
    let size = min(count, Self.chunkSize)
    let bit = 1 << qubit
    if bit >= size {
      // Every chunk lies on one side.
      let norms = try chunkNorms(context)
      let side = bit / size
      let zero = norms.indices.map { $0 & side == 0 ? norms[$0] : 0 }
      let one = norms.indices.map { $0 & side == 0 ? 0 : norms[$0] }
      return (Self.treeSum(zero[...]), Self.treeSum(one[...]))
    }
    let pairs = try chunkPairs(context) { chunk in
      var sums = SIMD2<Double>()
      var base = chunk * size
      let end = base + size
      while base < end {
        for i in base..<base + bit {
          sums += SIMD2(norm(amplitudes[i]), norm(amplitudes[i + bit]))
        }
        base += 2 * bit
      }
      return sums
    }
    return (Self.treeSum(pairs.map(\.x)[...]), Self.treeSum(pairs.map(\.y)[...]))
  }

  /// Exact expectation value ⟨ψ|O|ψ⟩: one pass for each distinct X mask.
  /// - Complexity: O(2^n (groups + terms)).
  package func expectation(
    _ observable: PauliSum, _ context: KernelContext
  ) throws(QubusError) -> Double {
    var groups: [(x: UInt64, terms: [Int])] = []
    var groupOf: [UInt64: Int] = [:]
    for (index, term) in observable.terms.enumerated() {
      if let group = groupOf[term.x] {
        groups[group].terms.append(index)
      } else {
        groupOf[term.x] = groups.count
        groups.append((term.x, [index]))
      }
    }
    var values = [Double](repeating: 0, count: observable.terms.count)
    for group in groups {
      let terms = group.terms.map { observable.terms[$0] }
      let sums = try groupExpectations(x: Int(group.x), terms, context)
      for (index, sum) in zip(group.terms, sums) { values[index] = sum }
    }
    // In the order of the terms as given.
    var total = 0.0
    for (term, value) in zip(observable.terms, values) { total += term.coefficient * value }
    return total
  }

  /// ⟨P⟩ of Pauli strings that share an X mask: Σ Re(i^{|x∧z|} (-1)^{|i∧z|} conj(a[i⊕x]) a[i]).
  private func groupExpectations(
    x: Int, _ terms: [PauliTerm], _ context: KernelContext
  ) throws(QubusError) -> [Double] {
    let size = min(count, Self.chunkSize)
    let chunks = chunkCount
    let amplitudes = amplitudes
    var sums = [Double](repeating: 0, count: chunks * terms.count)
    try sums.withUnsafeMutableBufferPointer { (sums) throws(QubusError) in
      // The pointer crosses threads; every chunk writes its own entries.
      nonisolated(unsafe) let sums = sums
      try context.forChunks(chunks) { chunk in
        withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * size) { products in
          let start = chunk * size
          for j in 0..<size {
            let a = amplitudes[start + j]
            let b = amplitudes[(start + j) ^ x]
            products[j] = b.x * a.x + b.y * a.y
            products[size + j] = b.x * a.y - b.y * a.x
          }
          for (index, term) in terms.enumerated() {
            // Re(i^k w) for k = 0 … 3 is re, -im, -re, im.
            let quarter = (term.x & term.z).nonzeroBitCount & 3
            let source = quarter & 1 == 0 ? 0 : size
            var sum = 0.0
            for j in 0..<size {
              let isOdd = UInt64(start + j) & term.z
              let value = products[source + j]
              sum += isOdd.nonzeroBitCount & 1 == 0 ? value : -value
            }
            sums[index * chunks + chunk] = quarter == 1 || quarter == 2 ? -sum : sum
          }
        }
      }
    }
    return terms.indices.map { Self.treeSum(sums[$0 * chunks..<($0 + 1) * chunks]) }
  }

  // MARK: Fixed-order sums

  /// Sum by halves: the first half holds the largest power of two below the count.
  static func treeSum(_ values: ArraySlice<Double>) -> Double {
    if values.count <= 2 { return values.reduce(0, +) }
    let half = 1 << (Int.bitWidth - 1 - (values.count - 1).leadingZeroBitCount)
    let middle = values.startIndex + half
    return treeSum(values[..<middle]) + treeSum(values[middle...])
  }

  private func chunkSums(
    _ context: KernelContext, _ body: (Int) -> Double
  ) throws(QubusError) -> [Double] {
    var sums = [Double](repeating: 0, count: chunkCount)
    try sums.withUnsafeMutableBufferPointer { (sums) throws(QubusError) in
      nonisolated(unsafe) let sums = sums
      try context.forChunks(sums.count) { sums[$0] = body($0) }
    }
    return sums
  }

  private func chunkPairs(
    _ context: KernelContext, _ body: (Int) -> SIMD2<Double>
  ) throws(QubusError) -> [SIMD2<Double>] {
    var sums = [SIMD2<Double>](repeating: .zero, count: chunkCount)
    try sums.withUnsafeMutableBufferPointer { (sums) throws(QubusError) in
      nonisolated(unsafe) let sums = sums
      try context.forChunks(sums.count) { sums[$0] = body($0) }
    }
    return sums
  }
}

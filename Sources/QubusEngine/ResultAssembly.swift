internal import Crypto
internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore
internal import QubusDevices
internal import QubusJobs
internal import QubusSimulator

/// Puts rows together to the arrays of `docs/results.md`.
struct ResultAssembly {
  /// Chunks of an item, except the last, have this many bytes.
  static let chunkBytes = 1 << 20

  private struct PubArrays {
    var keys: [UInt8] = []
    var values: [UInt8] = []
    var entries: UInt64 = 0
    var offsets: [UInt64] = [0]
    var memory: [UInt8] = []
    var probabilities: [UInt8] = []
    var stateVector: [UInt8] = []
    var expectationValues: [Double] = []
    var normDrift: Double?
    var planHashes: Set<[UInt8]> = []
  }
  private let pubs: [PreparedPub]
  private var arrays: [PubArrays]
  private var hash = ExecutionHash()
  private(set) var isPartial = false

  init(_ pubs: [PreparedPub]) {
    self.pubs = pubs
    arrays = pubs.map { pub in
      var arrays = PubArrays()
      if !pub.observables.isEmpty {
        arrays.expectationValues = Array(
          repeating: 0, count: Broadcast.count(pub.expectationShape) ?? 0)
      }
      return arrays
    }
  }

  /// - Parameter positions: where the row's expectation values go.
  /// - Throws: `execution_canceled`; of the row only what a partial result leaves out may be there.
  mutating func add(
    _ row: RowResult, pub: Int, row index: Int, positions: [Int],
    _ cancellation: CancellationFlag?
  ) throws(QubusError) {
    let rows = pubs[pub].rows
    try Self.append(row.memory, to: &arrays[pub].memory, rows: rows, cancellation)
    try Self.append(
      Self.littleEndian(row.probabilities), to: &arrays[pub].probabilities, rows: rows,
      cancellation)
    try Self.append(
      Self.littleEndian(row.stateVector), to: &arrays[pub].stateVector, rows: rows, cancellation)
    try hash.add(row, pub: pub, row: index, cancellation)
    // What a partial result keeps is added as a whole.
    if let counts = row.counts {
      Self.append(counts.keys, to: &arrays[pub].keys)
      Self.append(counts.values, to: &arrays[pub].values)
      arrays[pub].entries += UInt64(counts.values.count)
      arrays[pub].offsets.append(arrays[pub].entries)
    }
    if let numbers = row.expectationValues {
      for (position, number) in zip(positions, numbers) {
        arrays[pub].expectationValues[position] = number
      }
    }
    for hash in row.planHashes { arrays[pub].planHashes.insert(hash) }
    if let drift = row.normDrift {
      arrays[pub].normDrift = max(drift, arrays[pub].normDrift ?? 0)
    }
  }

  /// Names of the plans that ran, by `plan.` and the pub's number: the plan's hash, or when rows
  /// ran by several the SHA-256 over their hashes in ascending order; none for a pub without one.
  var planOptions: [String: String] {
    var options: [String: String] = [:]
    for (index, pub) in arrays.enumerated() where !pub.planHashes.isEmpty {
      let sorted = pub.planHashes.sorted { $0.lexicographicallyPrecedes($1) }
      let hash = sorted.count == 1 ? sorted[0] : Self.digest(sorted.flatMap { $0 }[...])
      options["plan.\(index)"] = hash.hexadecimal
    }
    return options
  }

  /// What a stopped job keeps: counts of the rows and shots that were done. Rows that never ran
  /// have no entries; the other arrays would have holes and are left out.
  mutating func keepCountsOnly() {
    isPartial = true
    for index in pubs.indices {
      let missing = pubs[index].rows + 1 - arrays[index].offsets.count
      arrays[index].offsets += repeatElement(arrays[index].entries, count: max(0, missing))
    }
  }

  /// - Throws: `execution_canceled`.
  consuming func finish(
    jobID: Identifier, attempt: UInt32, shotsDone: UInt64, _ cancellation: CancellationFlag?
  ) throws(QubusError) -> (manifest: ResultManifest, data: [[UInt8]]) {
    var manifest = ResultManifest(jobID: jobID, attempt: attempt)
    var data: [[UInt8]] = []
    for (index, pub) in pubs.enumerated() {
      for (item, bytes) in try Self.items(
        pub, arrays[index], UInt32(index), isPartial, cancellation)
      {
        manifest.items.append(item)
        data.append(bytes)
      }
      manifest.pubs.append(Self.summary(pub, UInt32(index), arrays[index].normDrift))
    }
    manifest.isPartial = isPartial
    manifest.shotsDone = shotsDone
    manifest.executionHash = hash.digest()
    return (manifest, data)
  }

  private static func summary(
    _ pub: PreparedPub, _ index: UInt32, _ normDrift: Double?
  ) -> PubSummary {
    let circuit = pub.program.circuit
    return PubSummary(
      pub: index, qubitCount: UInt32(circuit.qubitCount), bitCount: UInt32(circuit.bitCount),
      shape: pub.shape.map(UInt64.init), shots: pub.shots, normDrift: normDrift,
      registers: circuit.bitRegisters.map {
        BitRegister(name: $0.name, offset: UInt32($0.offset), size: UInt32($0.size))
      })
  }

  private static func items(
    _ pub: PreparedPub, _ arrays: PubArrays, _ index: UInt32, _ isPartial: Bool,
    _ cancellation: CancellationFlag?
  ) throws(QubusError) -> [(ResultItem, [UInt8])] {
    let circuit = pub.program.circuit
    let shape = pub.shape.map(UInt64.init)
    var items: [(ResultItem, [UInt8])] = []
    func add(
      _ name: String, _ type: DataType, _ shape: [UInt64], _ bytes: [UInt8]
    ) throws(QubusError) {
      items.append((try item(name, index, type, shape, bytes, cancellation), bytes))
    }
    if pub.outputs.contains(.counts) {
      let words = UInt64(max(1, (circuit.bitCount + 63) / 64))
      var offsets: [UInt8] = []
      append(arrays.offsets, to: &offsets)
      try add("counts.keys", .uint64, [arrays.entries, words], arrays.keys)
      try add("counts.values", .uint64, [arrays.entries], arrays.values)
      try add("counts.offsets", .uint64, [UInt64(arrays.offsets.count)], offsets)
    }
    guard !isPartial else { return items }
    if pub.outputs.contains(.memory) {
      let bytes = UInt64((circuit.bitCount + 7) / 8)
      try add("memory", .uint8, [UInt64(pub.rows), pub.shots, bytes], arrays.memory)
    }
    if pub.outputs.contains(.probabilities) {
      let bits = circuit.bitCount == 0 ? circuit.qubitCount : circuit.bitCount
      try add("probabilities", .float64, shape + [1 << UInt64(bits)], arrays.probabilities)
    }
    if pub.outputs.contains(.stateVector) {
      let size = UInt64(1) << UInt64(circuit.qubitCount)
      try add("statevector", .complex128, shape + [size], arrays.stateVector)
    }
    if pub.outputs.contains(.expectationValues) {
      var bytes: [UInt8] = []
      append(arrays.expectationValues, to: &bytes)
      try add("expectation_values", .float64, pub.expectationShape.map(UInt64.init), bytes)
    }
    return items
  }

  private static func item(
    _ name: String, _ pub: UInt32, _ type: DataType, _ shape: [UInt64], _ bytes: [UInt8],
    _ cancellation: CancellationFlag?
  ) throws(QubusError) -> ResultItem {
    var chunks: [ResultChunkInfo] = []
    var whole = SHA256()
    for offset in stride(from: 0, to: bytes.count, by: chunkBytes) {
      try cancellation.check()
      let chunk = bytes[offset..<min(bytes.count, offset + chunkBytes)]
      // Of a single chunk it is the chunk's.
      if bytes.count > chunkBytes { whole.update(data: chunk) }
      chunks.append(
        ResultChunkInfo(
          offset: UInt64(offset), bytes: UInt64(chunk.count), sha256: digest(chunk)))
    }
    return ResultItem(
      name: name, pub: pub, dataType: type, shape: shape, bytes: UInt64(bytes.count),
      sha256: chunks.count == 1 ? chunks[0].sha256 : Array(whole.finalize()), chunks: chunks)
  }

  private static func digest(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    Array(SHA256.hash(data: bytes))
  }

  private static func append(_ words: [UInt64], to bytes: inout [UInt8]) {
    #if _endian(little)
      words.withUnsafeBytes { bytes.append(contentsOf: $0) }
    #else
      for word in words {
        withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) }
      }
    #endif
  }

  private static func append(_ numbers: [Double], to bytes: inout [UInt8]) {
    #if _endian(little)
      numbers.withUnsafeBytes { bytes.append(contentsOf: $0) }
    #else
      append(numbers.map(\.bitPattern), to: &bytes)
    #endif
  }

  /// Appends in pieces, looking at the flag between them.
  /// - Parameter rows: that will come, all as long as the first.
  private static func append<Element: BitwiseCopyable>(
    _ elements: [Element]?, to bytes: inout [UInt8], rows: Int, _ cancellation: CancellationFlag?
  ) throws(QubusError) {
    guard let elements else { return }
    let count = MemoryLayout<Element>.stride * elements.count
    // At once, so that no growing array is copied on its way.
    if bytes.isEmpty { bytes.reserveCapacity(count * rows) }
    for start in stride(from: 0, to: count, by: chunkBytes) {
      try cancellation.check()
      elements.withUnsafeBytes {
        bytes.append(contentsOf: $0[start..<min(count, start + chunkBytes)])
      }
    }
  }

  /// The numbers as they lie in a result.
  private static func littleEndian(_ numbers: [Double]?) -> [Double]? {
    #if _endian(little)
      numbers
    #else
      numbers?.map { Double(bitPattern: $0.bitPattern.littleEndian) }
    #endif
  }
}

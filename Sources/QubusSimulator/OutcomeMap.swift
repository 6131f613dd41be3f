internal import QubusCompiler
internal import QubusCore

/// From a basis state to classical bits, when every measurement is terminal.
///
/// Between the two stands the compact key: one bit for each measured qubit, ordered by the highest
/// classical bit that the qubit fills. Bits that no measurement fills are the same in every shot,
/// so compact keys sort as the outcomes do, however many classical bits there are.
struct OutcomeMap {
  let bitCount: Int
  /// Measured qubits in order of the compact key.
  let qubits: [Int]
  /// Outcome words with the constant bits set.
  private let constantWords: [UInt64]
  /// For each measured qubit the classical bits it fills.
  private let bitsOfQubit: [[Int]]
  /// True when an outcome's one word is its compact key.
  private let isPlain: Bool

  init(_ sources: [BoundProgram.BitSource]) {
    bitCount = sources.count
    var words = [UInt64](repeating: 0, count: max(1, (sources.count + 63) / 64))
    var bits: [Int: [Int]] = [:]
    for (bit, source) in sources.enumerated() {
      switch source {
      case .constant(let value): if value { words[bit / 64] |= 1 << UInt64(bit % 64) }
      case .qubit(let qubit): bits[qubit, default: []].append(bit)
      }
    }
    qubits = bits.keys.sorted { (bits[$0]?.last ?? 0) < (bits[$1]?.last ?? 0) }
    bitsOfQubit = qubits.map { bits[$0] ?? [] }
    constantWords = words
    isPlain = words == [0] && bitsOfQubit.enumerated().allSatisfy { $0.element == [$0.offset] }
  }

  private var wordCount: Int { constantWords.count }

  /// The outcomes' words for compact keys, one outcome after the other.
  /// - Throws: `execution_canceled`.
  func words(
    of keys: [UInt64], _ cancellation: CancellationFlag
  ) throws(QubusError) -> [UInt64] {
    if isPlain { return keys }
    let size = wordCount
    // What every value of every byte of a key adds.
    let bytes = (qubits.count + 7) / 8
    var table = [UInt64](repeating: 0, count: 256 * bytes * size)
    for (position, bits) in bitsOfQubit.enumerated() {
      for value in 0..<256 where value >> (position % 8) & 1 == 1 {
        let start = (position / 8 * 256 + value) * size
        for bit in bits { table[start + bit / 64] |= 1 << UInt64(bit % 64) }
      }
    }
    var words: [UInt64] = []
    words.reserveCapacity(keys.count * size)
    for (index, key) in keys.enumerated() {
      try cancellation.poll(index)
      for word in 0..<size {
        var value = constantWords[word]
        for byte in 0..<bytes {
          value |= table[(byte * 256 + Int(key >> UInt64(8 * byte) & 0xFF)) * size + word]
        }
        words.append(value)
      }
    }
    return words
  }
}

/// Outcomes of shots counted.
extension Counts {
  /// Counts equal outcomes.
  /// - Parameter outcomes: `wordsPerKey` words a shot.
  init(bitCount: Int, outcomes: [UInt64]) {
    self.init(bitCount: bitCount)
    let words = wordsPerKey
    if words == 1 {
      var sorted = outcomes
      sorted = radixSorted(sorted, bits: bitCount)
      for key in sorted { count(key) }
      return
    }
    let shots = outcomes.count / words
    let order = (0..<shots).sorted { a, b in
      for word in stride(from: words - 1, through: 0, by: -1)
      where outcomes[a * words + word] != outcomes[b * words + word] {
        return outcomes[a * words + word] < outcomes[b * words + word]
      }
      return false
    }
    for shot in order {
      let key = outcomes[shot * words..<(shot + 1) * words]
      if !values.isEmpty, keys.suffix(words) == key {
        values[values.count - 1] += 1
      } else {
        keys.append(contentsOf: key)
        values.append(1)
      }
    }
  }

  private mutating func count(_ key: UInt64) {
    if keys.last == key {
      values[values.count - 1] += 1
    } else {
      keys.append(key)
      values.append(1)
    }
  }
}

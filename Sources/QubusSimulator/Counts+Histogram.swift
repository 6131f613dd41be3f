/// Outcomes of shots counted.
extension Counts {
  /// Counts equal outcomes.
  /// - Parameter outcomes: `wordsPerKey` words a shot.
  init(bitCount: Int, outcomes: [UInt64]) {
    self.init(bitCount: bitCount)
    let words = wordsPerKey
    if words == 1 {
      var sorted = outcomes
      sortRadix(&sorted, bits: bitCount)
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

/// Sorts numbers below 2^bits, 11 bits a pass, least significant digit first.
func sortRadix(_ numbers: inout [UInt64], bits: Int) {
  if numbers.count < 1 << 10 {
    numbers.sort()
    return
  }
  let digits = 1 << 11
  var other = [UInt64](repeating: 0, count: numbers.count)
  for shift in stride(from: 0, to: min(bits, 64), by: 11) {
    var starts = [Int](repeating: 0, count: digits + 1)
    for number in numbers { starts[Int(number >> UInt64(shift)) & (digits - 1) + 1] += 1 }
    for digit in 0..<digits { starts[digit + 1] += starts[digit] }
    for number in numbers {
      let digit = Int(number >> UInt64(shift)) & (digits - 1)
      other[starts[digit]] = number
      starts[digit] += 1
    }
    swap(&numbers, &other)
  }
}

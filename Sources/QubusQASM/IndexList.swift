/// Qubits or classical bits that a name or an index expression stands for, in order.
enum IndexList {
  case range(Range<Int>)
  case list([Int])

  var count: Int {
    switch self {
    case .range(let range): range.count
    case .list(let list): list.count
    }
  }

  subscript(position: Int) -> Int {
    switch self {
    case .range(let range): range.lowerBound + position
    case .list(let list): list[position]
    }
  }

  /// The indices as one ascending run, nil when they are not.
  var contiguous: Range<Int>? {
    switch self {
    case .range(let range): return range
    case .list(let list):
      guard let first = list.first else { return nil }
      for (offset, index) in list.enumerated() where index != first + offset { return nil }
      return first..<(first + list.count)
    }
  }

  var array: [Int] {
    switch self {
    case .range(let range): Array(range)
    case .list(let list): list
    }
  }
}

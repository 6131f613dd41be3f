extension Matrix {
  package static func identity(dimension: Int) -> Matrix {
    .diagonal([Complex](repeating: .one, count: dimension))
  }

  package static func diagonal(_ entries: [Complex]) -> Matrix {
    var matrix = Matrix(zero: entries.count)
    for (i, entry) in entries.enumerated() { matrix[i, i] = entry }
    return matrix
  }

  /// [[a, b], [c, d]].
  package static func oneQubit(_ a: Complex, _ b: Complex, _ c: Complex, _ d: Complex) -> Matrix {
    Matrix(dimension: 2, elements: [a, b, c, d])
  }

  /// A 4 × 4 matrix from its entries (row, column, value); the others are 0.
  package static func sparse(_ entries: [(row: Int, column: Int, value: Complex)]) -> Matrix {
    var matrix = Matrix(zero: 4)
    for entry in entries { matrix[entry.row, entry.column] = entry.value }
    return matrix
  }

  package init(zero dimension: Int) {
    self.init(
      dimension: dimension, elements: [Complex](repeating: .zero, count: dimension * dimension))
  }

  /// The conjugate transpose: the inverse of a unitary.
  package var adjoint: Matrix {
    var result = Matrix(zero: dimension)
    for row in 0..<dimension {
      for column in 0..<dimension { result[column, row] = self[row, column].conjugate }
    }
    return result
  }

  package static func * (a: Matrix, b: Matrix) -> Matrix {
    precondition(a.dimension == b.dimension)
    var result = Matrix(zero: a.dimension)
    for row in 0..<a.dimension {
      for column in 0..<a.dimension {
        var sum = Complex.zero
        for k in 0..<a.dimension { sum = sum + a[row, k] * b[k, column] }
        result[row, column] = sum
      }
    }
    return result
  }

  /// True when every entry off the diagonal is exactly 0.
  package var isDiagonal: Bool {
    for row in 0..<dimension {
      for column in 0..<dimension where row != column && self[row, column] != .zero {
        return false
      }
    }
    return true
  }

  /// Largest magnitude of an entry of `self - other`.
  package func distance(to other: Matrix) -> Double {
    var largest = 0.0
    for (a, b) in zip(elements, other.elements) {
      largest = max(largest, (a - b).squaredMagnitude)
    }
    return largest.squareRoot()
  }
}

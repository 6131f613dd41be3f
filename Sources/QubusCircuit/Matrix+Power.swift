#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

extension Matrix {
  /// The principal power of a unitary: eigenvalues e^{iφ}, -π < φ ≤ π, become e^{i·exponent·φ}.
  ///
  /// Small whole exponents are products, diagonal matrices are exact entry by entry.
  /// - Parameter exponent: finite.
  package func power(_ exponent: Double) -> Matrix {
    if exponent == 0 { return .identity(dimension: dimension) }
    if exponent == 1 { return self }
    if exponent == -1 { return adjoint }
    if exponent == 2 { return self * self }
    if isDiagonal {
      return .diagonal((0..<dimension).map { self[$0, $0].principalPower(exponent) })
    }
    let basis = eigenvectors()
    let rotated = basis.adjoint * self * basis
    let powers = (0..<dimension).map { rotated[$0, $0].principalPower(exponent) }
    return basis * .diagonal(powers) * basis.adjoint
  }

  /// A unitary whose columns are eigenvectors of this unitary U.
  ///
  /// The Hermitian parts A = (U + U†)/2 and B = (U - U†)/2i commute, so A + tB has eigenvectors of
  /// U unless two eigenvalues happen to coincide for this t; the best of several t is taken.
  private func eigenvectors() -> Matrix {
    var best = Matrix.identity(dimension: dimension)
    var smallest = Double.infinity
    for t in [0.7390851332151607, -1.3247179572447460, 0.2193839343955203, 2.6854520010653064] {
      let basis = hermitianCombination(t).hermitianEigenvectors()
      let residue = (basis.adjoint * self * basis).offDiagonalNorm
      if residue < smallest {
        smallest = residue
        best = basis
      }
      if residue < 1e-14 { break }
    }
    return best
  }

  private func hermitianCombination(_ t: Double) -> Matrix {
    let conjugated = adjoint
    var result = Matrix(zero: dimension)
    for i in elements.indices {
      let a = 0.5 * (elements[i] + conjugated.elements[i])
      let b = Complex(0, -0.5) * (elements[i] - conjugated.elements[i])
      result.elements[i] = a + t * b
    }
    return result
  }

  private var offDiagonalNorm: Double {
    var sum = 0.0
    for row in 0..<dimension {
      for column in 0..<dimension where row != column {
        sum += self[row, column].squaredMagnitude
      }
    }
    return sum.squareRoot()
  }

  /// Columns are eigenvectors of this Hermitian matrix; cyclic Jacobi rotations.
  /// - Source: Golub & Van Loan, "Matrix Computations", §8.5, in its complex form.
  private func hermitianEigenvectors() -> Matrix {
    var h = self
    var basis = Matrix.identity(dimension: dimension)
    for _ in 0..<60 where h.offDiagonalNorm > 1e-17 {
      for p in 0..<dimension {
        for q in p + 1..<dimension {
          let magnitude = h[p, q].squaredMagnitude.squareRoot()
          if magnitude < 1e-300 { continue }
          let phase = (1 / magnitude) * h[p, q]
          let tau = (h[q, q].re - h[p, p].re) / (2 * magnitude)
          let tangent = (tau >= 0 ? 1.0 : -1.0) / (abs(tau) + (1 + tau * tau).squareRoot())
          let c = 1 / (1 + tangent * tangent).squareRoot()
          let s = c * tangent
          var rotation = Matrix.identity(dimension: dimension)
          rotation[p, p] = Complex(c)
          rotation[q, q] = Complex(c)
          rotation[p, q] = s * phase
          rotation[q, p] = -s * phase.conjugate
          h = rotation.adjoint * h * rotation
          basis = basis * rotation
        }
      }
    }
    return basis
  }
}

extension Complex {
  /// The principal power of a number of magnitude 1.
  fileprivate func principalPower(_ exponent: Double) -> Complex {
    var argument = atan2(im, re)
    // -1 is rounded to either side of the cut; it belongs to +π.
    if argument < -Double.pi + 1e-12 { argument = Double.pi }
    return .unit(argument * exponent)
  }
}

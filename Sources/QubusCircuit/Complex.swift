/// A complex number in double precision; `Swift.SIMD2` layout is not assumed.
package struct Complex: Sendable, Hashable {
  package var re: Double
  package var im: Double

  package init(_ re: Double, _ im: Double = 0) {
    self.re = re
    self.im = im
  }

  package static let zero = Complex(0)
  package static let one = Complex(1)
  package static let i = Complex(0, 1)

  package var conjugate: Complex { Complex(re, -im) }
  package var squaredMagnitude: Double { re * re + im * im }

  package static func + (a: Complex, b: Complex) -> Complex { Complex(a.re + b.re, a.im + b.im) }
  package static func - (a: Complex, b: Complex) -> Complex { Complex(a.re - b.re, a.im - b.im) }
  package static prefix func - (a: Complex) -> Complex { Complex(-a.re, -a.im) }
  package static func * (a: Complex, b: Complex) -> Complex {
    Complex(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re)
  }
  package static func * (a: Double, b: Complex) -> Complex { Complex(a * b.re, a * b.im) }
}

/// A square complex matrix, row-major, dimension 2^k: index bit 0 belongs to the first target.
package struct Matrix: Sendable, Hashable {
  package let dimension: Int
  package var elements: [Complex]

  package init(dimension: Int, elements: [Complex]) {
    precondition(elements.count == dimension * dimension)
    self.dimension = dimension
    self.elements = elements
  }

  package subscript(row: Int, column: Int) -> Complex {
    get { elements[row * dimension + column] }
    set { elements[row * dimension + column] = newValue }
  }
}

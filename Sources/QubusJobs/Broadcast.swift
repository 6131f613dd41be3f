/// NumPy's rules of broadcasting: shapes align at the right, a dimension of 1 stretches.
/// - Source: https://numpy.org/doc/stable/user/basics.broadcasting.html
package enum Broadcast {
  /// The shape all of `shapes` stretch to; nil when they do not fit. No shapes give a scalar, `[]`.
  package static func shape(_ shapes: [[Int]]) -> [Int]? {
    var result: [Int] = []
    for shape in shapes {
      if shape.count > result.count {
        result.insert(
          contentsOf: repeatElement(1, count: shape.count - result.count), at: 0)
      }
      let shift = result.count - shape.count
      for (axis, size) in shape.enumerated() {
        let present = result[shift + axis]
        guard size == present || size == 1 || present == 1 else { return nil }
        result[shift + axis] = present == 1 ? size : present
      }
    }
    return result
  }

  /// Number of elements of a shape; nil when it overflows or a dimension is negative.
  package static func count(_ shape: [Int]) -> Int? {
    var count = 1
    for size in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      guard size >= 0, !overflow else { return nil }
      count = product
    }
    return count
  }
}

/// Maps row-major positions of a broadcast shape to positions of one operand.
package struct BroadcastIndex: Sendable, Hashable {
  private let sizes: [Int]
  private let strides: [Int]
  /// True when the operand has the result's shape, so that every index is the position.
  package let isWhole: Bool

  /// - Parameter shape: the operand's shape; must stretch to `result`.
  package init(_ shape: [Int], to result: [Int]) {
    precondition(Broadcast.shape([shape, result]) == result, "the shape stretches to the result")
    sizes = result
    isWhole = shape == result
    var strides = Array(repeating: 0, count: result.count)
    var stride = 1
    for axis in shape.indices.reversed() {
      strides[result.count - shape.count + axis] = shape[axis] == 1 ? 0 : stride
      stride *= shape[axis]
    }
    self.strides = strides
  }

  package subscript(position: Int) -> Int {
    var rest = position
    var index = 0
    for axis in sizes.indices.reversed() {
      index += rest % sizes[axis] * strides[axis]
      rest /= sizes[axis]
    }
    return index
  }
}

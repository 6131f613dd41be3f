internal import CQubusKernels
internal import QubusCompiler

/// A plan's operation as the chunks of its stage see it: bits of a chunk's own index, and what
/// depends on the positions outside ("outer"), which are fixed in a chunk.
struct StageOperation {
  /// What a chunk still has to find out.
  enum Resolution: UInt8 {
    /// Nothing.
    case fixed
    /// The whole chunk is multiplied by the number at `source`.
    case phaseScalar
    /// The whole chunk changes its sign.
    case negateScalar
    /// The outer bits choose a part of the diagonal at `source`.
    case diagonal
    /// The same when that part is one number, for the whole chunk.
    case diagonalScalar
    /// The outer factors go into the scale.
    case linear
    /// The same when no local factor is left, for the whole chunk.
    case linearScalar
  }

  var operation: qk_op
  var resolution: Resolution
  /// Outer controls: the operation is dropped unless `base & outerMask == outerValue`.
  var outerMask: UInt64
  var outerValue: UInt64
  /// Outer targets of a diagonal or outer factors of a linear operation.
  var outerBits: UInt64 = 0
  /// Where the numbers start, in reals.
  var source: Int
  /// Of a linear operation: factors before each outer factor, as places among all its factors.
  var factorMask: UInt64 = 0
  /// Where its own numbers start in a thread's scratch, when a chunk needs some.
  var scratch = 0

  /// True when every chunk resolves it to the same.
  var isStatic: Bool { outerMask == 0 && outerBits == 0 }
  /// True when it acts on every amplitude, so that a scale can be multiplied into its numbers.
  var hasControls: Bool { outerMask != 0 || operation.control_mask != 0 }
}

/// A diagonal with outer targets, sorted so that what one chunk needs is contiguous.
struct SortedDiagonal {
  /// Where the plan has its numbers, in reals.
  var source: Int
  /// Where the sorted numbers go, in reals.
  var place: Int
  /// Row of each sorted entry.
  var rows: [Int]
}

extension UInt64 {
  /// The bits of `self` at the set bits of `mask`, packed from bit 0 on.
  @inline(__always)
  func extracted(by mask: UInt64) -> UInt64 {
    var result: UInt64 = 0
    var rest = mask
    var bit: UInt64 = 0
    while rest != 0 {
      result |= (self >> UInt64(rest.trailingZeroBitCount) & 1) << bit
      bit += 1
      rest &= rest - 1
    }
    return result
  }

  /// The low bits of `self` spread over the set bits of `mask`.
  @inline(__always)
  func deposited(into mask: UInt64) -> UInt64 {
    var result: UInt64 = 0
    var rest = mask
    var source = self
    while rest != 0 && source != 0 {
      result |= (source & 1) << UInt64(rest.trailingZeroBitCount)
      source >>= 1
      rest &= rest - 1
    }
    return result
  }
}

package import QubusCompiler
package import QubusCore

extension ReferenceStateVector {
  /// Applies bound gates in order.
  package func apply(
    _ list: BoundGateList, _ context: KernelContext
  ) throws(QubusError) {
    for gate in list.gates { try apply(gate, list.coefficients, context) }
  }

  /// Applies one gate in place.
  /// - Parameter coefficients: the numbers that `gate.offset` points into.
  /// - Complexity: O(2^n) time, no allocation of the size of the state.
  package func apply(
    _ gate: BoundGate, _ coefficients: [Double], _ context: KernelContext
  ) throws(QubusError) {
    switch gate.kind {
    case .identity: return
    case .phase: try applyPhase(gate, GateNumbers(gate, coefficients), context)
    case .diagonal: try applyDiagonal(gate, GateNumbers(gate, coefficients), context)
    case .flip: try applyFlip(gate, context)
    case .dense: try applyDense(gate, GateNumbers(gate, coefficients), context)
    case .swap: try applySwap(gate, context)
    case .diagonal2: try applyDiagonal2(gate, GateNumbers(gate, coefficients), context)
    case .dense2: try applyDense2(gate, coefficients, context)
    }
  }
}

/// Up to four complex numbers of a gate.
struct GateNumbers {
  var m0 = Amplitude()
  var m1 = Amplitude()
  var m2 = Amplitude()
  var m3 = Amplitude()

  init(_ gate: BoundGate, _ coefficients: [Double]) {
    let count = gate.coefficientCount / 2
    func number(_ i: Int) -> Amplitude {
      i < count
        ? Amplitude(coefficients[gate.offset + 2 * i], coefficients[gate.offset + 2 * i + 1])
        : Amplitude()
    }
    m0 = number(0)
    m1 = number(1)
    m2 = number(2)
    m3 = number(3)
  }
}

/// A complex factor laid out for multiplying interleaved numbers: x·re + swapped(x)·(-im, im).
struct Factor {
  let re: Amplitude
  let im: Amplitude

  init(_ number: Amplitude) {
    re = Amplitude(repeating: number.x)
    im = Amplitude(-number.y, number.y)
  }

  @inline(__always)
  static func * (a: Factor, x: Amplitude) -> Amplitude {
    a.re * x + a.im * Amplitude(x.y, x.x)
  }
}

/// Positions of the index bits that a gate fixes (controls, targets), for enumerating the others.
struct FixedBits {
  /// Ascending.
  private let positions: [Int]
  private let value: Int
  /// Number of indices of the free bits.
  let freeCount: Int

  init(_ gate: BoundGate, targets: UInt64, qubitCount: Int) {
    var mask = gate.controlMask | targets
    var positions: [Int] = []
    while mask != 0 {
      positions.append(mask.trailingZeroBitCount)
      mask &= mask - 1
    }
    self.positions = positions
    value = Int(gate.controlValue)
    freeCount = 1 << (qubitCount - positions.count)
  }

  /// Calls `body(base, length)` for runs of consecutive amplitudes whose free index is in `range`,
  /// controls set and targets 0.
  @inline(__always)
  func forRuns(_ range: Range<Int>, _ body: (_ base: Int, _ length: Int) -> Void) {
    guard let lowest = positions.first else {
      body(range.lowerBound, range.count)
      return
    }
    let runLength = 1 << lowest
    positions.withUnsafeBufferPointer { positions in
      var free = range.lowerBound
      while free < range.upperBound {
        let length = min(runLength - (free & (runLength - 1)), range.upperBound - free)
        var index = free
        for position in positions {
          let low = index & ((1 << position) - 1)
          index = ((index ^ low) << 1) | low
        }
        body(index | value, length)
        free += length
      }
    }
  }
}

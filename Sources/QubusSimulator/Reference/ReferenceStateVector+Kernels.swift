internal import QubusCompiler
package import QubusCore

/// The plain kernels: one pass over the amplitudes that a gate touches, in blocks of fixed size,
/// each amplitude computed by the same operations whatever the block or the thread.
extension ReferenceStateVector {
  func applyPhase(
    _ gate: BoundGate, _ numbers: GateNumbers, _ context: KernelContext
  ) throws(QubusError) {
    let fixed = FixedBits(gate, targets: 0, qubitCount: qubitCount)
    let factor = Factor(numbers.m0)
    let amplitudes = amplitudes
    try context.forBlocks(fixed.freeCount) { range in
      fixed.forRuns(range) { base, length in
        for i in base..<base + length { amplitudes[i] = factor * amplitudes[i] }
      }
    }
  }

  func applyDiagonal(
    _ gate: BoundGate, _ numbers: GateNumbers, _ context: KernelContext
  ) throws(QubusError) {
    let stride = 1 << Int(gate.target0)
    let fixed = FixedBits(gate, targets: UInt64(stride), qubitCount: qubitCount)
    let d0 = Factor(numbers.m0)
    let d1 = Factor(numbers.m1)
    let amplitudes = amplitudes
    try context.forBlocks(fixed.freeCount) { range in
      fixed.forRuns(range) { base, length in
        for i in base..<base + length {
          amplitudes[i] = d0 * amplitudes[i]
          amplitudes[i + stride] = d1 * amplitudes[i + stride]
        }
      }
    }
  }

  func applyFlip(_ gate: BoundGate, _ context: KernelContext) throws(QubusError) {
    let stride = 1 << Int(gate.target0)
    let fixed = FixedBits(gate, targets: UInt64(stride), qubitCount: qubitCount)
    let amplitudes = amplitudes
    try context.forBlocks(fixed.freeCount) { range in
      fixed.forRuns(range) { base, length in
        for i in base..<base + length {
          let zero = amplitudes[i]
          amplitudes[i] = amplitudes[i + stride]
          amplitudes[i + stride] = zero
        }
      }
    }
  }

  func applyDense(
    _ gate: BoundGate, _ numbers: GateNumbers, _ context: KernelContext
  ) throws(QubusError) {
    let stride = 1 << Int(gate.target0)
    let fixed = FixedBits(gate, targets: UInt64(stride), qubitCount: qubitCount)
    let m00 = Factor(numbers.m0)
    let m01 = Factor(numbers.m1)
    let m10 = Factor(numbers.m2)
    let m11 = Factor(numbers.m3)
    let amplitudes = amplitudes
    try context.forBlocks(fixed.freeCount) { range in
      fixed.forRuns(range) { base, length in
        for i in base..<base + length {
          let zero = amplitudes[i]
          let one = amplitudes[i + stride]
          amplitudes[i] = m00 * zero + m01 * one
          amplitudes[i + stride] = m10 * zero + m11 * one
        }
      }
    }
  }

  func applySwap(_ gate: BoundGate, _ context: KernelContext) throws(QubusError) {
    let stride0 = 1 << Int(gate.target0)
    let stride1 = 1 << Int(gate.target1)
    let fixed = FixedBits(gate, targets: UInt64(stride0 | stride1), qubitCount: qubitCount)
    let amplitudes = amplitudes
    try context.forBlocks(fixed.freeCount) { range in
      fixed.forRuns(range) { base, length in
        for i in base..<base + length {
          let first = amplitudes[i + stride0]
          amplitudes[i + stride0] = amplitudes[i + stride1]
          amplitudes[i + stride1] = first
        }
      }
    }
  }

  func applyDiagonal2(
    _ gate: BoundGate, _ numbers: GateNumbers, _ context: KernelContext
  ) throws(QubusError) {
    let stride0 = 1 << Int(gate.target0)
    let stride1 = 1 << Int(gate.target1)
    let fixed = FixedBits(gate, targets: UInt64(stride0 | stride1), qubitCount: qubitCount)
    let d0 = Factor(numbers.m0)
    let d1 = Factor(numbers.m1)
    let d2 = Factor(numbers.m2)
    let d3 = Factor(numbers.m3)
    let amplitudes = amplitudes
    try context.forBlocks(fixed.freeCount) { range in
      fixed.forRuns(range) { base, length in
        for i in base..<base + length {
          amplitudes[i] = d0 * amplitudes[i]
          amplitudes[i + stride0] = d1 * amplitudes[i + stride0]
          amplitudes[i + stride1] = d2 * amplitudes[i + stride1]
          let both = i + stride0 + stride1
          amplitudes[both] = d3 * amplitudes[both]
        }
      }
    }
  }

  func applyDense2(
    _ gate: BoundGate, _ coefficients: [Double], _ context: KernelContext
  ) throws(QubusError) {
    let stride0 = 1 << Int(gate.target0)
    let stride1 = 1 << Int(gate.target1)
    let fixed = FixedBits(gate, targets: UInt64(stride0 | stride1), qubitCount: qubitCount)
    let factors = (0..<16).map { entry in
      Factor(
        Amplitude(coefficients[gate.offset + 2 * entry], coefficients[gate.offset + 2 * entry + 1]))
    }
    let amplitudes = amplitudes
    try context.forBlocks(fixed.freeCount) { range in
      factors.withUnsafeBufferPointer { m in
        fixed.forRuns(range) { base, length in
          for i in base..<base + length {
            let a = amplitudes[i]
            let b = amplitudes[i + stride0]
            let c = amplitudes[i + stride1]
            let d = amplitudes[i + stride0 + stride1]
            amplitudes[i] = (m[0] * a + m[1] * b) + (m[2] * c + m[3] * d)
            amplitudes[i + stride0] = (m[4] * a + m[5] * b) + (m[6] * c + m[7] * d)
            amplitudes[i + stride1] = (m[8] * a + m[9] * b) + (m[10] * c + m[11] * d)
            amplitudes[i + stride0 + stride1] =
              (m[12] * a + m[13] * b) + (m[14] * c + m[15] * d)
          }
        }
      }
    }
  }

  // MARK: Whole-state operations

  /// Sets |0…0⟩.
  package func reset(_ context: KernelContext) throws(QubusError) {
    let amplitudes = amplitudes
    try context.forBlocks(count) { range in
      (amplitudes + range.lowerBound).update(repeating: Amplitude(), count: range.count)
    }
    amplitudes[0] = Amplitude(1, 0)
  }

  /// Takes over the amplitudes of a state of the same size.
  package func copy(_ other: ReferenceStateVector, _ context: KernelContext) throws(QubusError) {
    precondition(other.count == count)
    let (target, source) = (amplitudes, other.amplitudes)
    try context.forBlocks(count) { range in
      (target + range.lowerBound).update(from: source + range.lowerBound, count: range.count)
    }
  }

  /// Projects `qubit` on `outcome` and scales what is left.
  /// - Parameter scale: 1/√probability of the outcome.
  package func collapse(
    qubit: Int, outcome: Bool, scale: Double, _ context: KernelContext
  ) throws(QubusError) {
    let stride = 1 << qubit
    let gate = BoundGate(kind: .diagonal, target0: UInt8(qubit))
    let fixed = FixedBits(gate, targets: UInt64(stride), qubitCount: qubitCount)
    let kept = outcome ? stride : 0
    let amplitudes = amplitudes
    try context.forBlocks(fixed.freeCount) { range in
      fixed.forRuns(range) { base, length in
        for i in base..<base + length {
          amplitudes[i + kept] *= scale
          amplitudes[i + (stride - kept)] = Amplitude()
        }
      }
    }
  }

  /// Projects `qubit` on `outcome`, scales what is left and moves it to |0⟩ of the qubit.
  package func collapseToZero(
    qubit: Int, outcome: Bool, scale: Double, _ context: KernelContext
  ) throws(QubusError) {
    try collapse(qubit: qubit, outcome: outcome, scale: scale, context)
    if outcome {
      try applyFlip(BoundGate(kind: .flip, target0: UInt8(qubit)), context)
    }
  }
}

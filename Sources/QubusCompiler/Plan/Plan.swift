/// The number type of a state's amplitudes.
package enum Precision: UInt8, Sendable, Hashable, CaseIterable {
  /// complex64: 8 bytes an amplitude.
  case single
  /// complex128: 16 bytes an amplitude.
  case double

  package var bytesPerAmplitude: Int { self == .single ? 8 : 16 }
  /// Lowest index bits that lie inside one vector of a block (3 or 4).
  package var laneBits: Int { self == .single ? 4 : 3 }
}

/// What an operation does; raw values and numbers are those of `qk_kind` in `qubus_kernels.h`.
package enum OperationKind: UInt8, Sendable, Hashable, CaseIterable {
  case phase, negate, flip, swap, diagonal, linear, real, cross, dense
}

/// One kernel call of a plan. All masks and targets are *positions*: bits of the amplitude index.
package struct PlanOperation: Sendable, Hashable {
  package var kind: OperationKind
  /// Bit j of the matrix index is position `targets[j]`; at most 5.
  package var targets: [UInt8]
  package var controlMask: UInt64
  package var controlValue: UInt64
  /// Positions with a factor of their own; `linear` only.
  package var factorMask: UInt64
  /// Where its numbers start among the plan's coefficients, in reals.
  package var offset: Int

  package init(
    kind: OperationKind, targets: [UInt8] = [], controlMask: UInt64 = 0, controlValue: UInt64 = 0,
    factorMask: UInt64 = 0, offset: Int = 0
  ) {
    self.kind = kind
    self.targets = targets
    self.controlMask = controlMask
    self.controlValue = controlValue
    self.factorMask = factorMask
    self.offset = offset
  }

  /// Number of reals at `offset`.
  package var coefficientCount: Int {
    let dimension = 1 << targets.count
    return switch kind {
    case .negate, .flip, .swap: 0
    case .phase: 2
    case .diagonal: 2 * dimension
    case .linear: 2 + 2 * factorMask.nonzeroBitCount
    case .real, .cross: dimension * dimension
    case .dense: 2 * dimension * dimension
    }
  }
}

/// Operations that run chunk by chunk: a chunk is what the positions of `localMask` span, the other
/// positions are fixed in it. Targets are local; controls, linear factors and targets of `diagonal`
/// may lie anywhere. Chunks are independent, so a stage is one parallel region with one barrier.
package struct PlanStage: Sendable, Hashable {
  package var operations: Range<Int>
  /// Contains the lane bits. Its bit count depends on qubits and precision only, never on threads.
  package var localMask: UInt64
  /// Positions from here on are |0⟩ before and after this stage, so 2^liveCount amplitudes exist.
  package var liveCount: Int

  package init(operations: Range<Int>, localMask: UInt64, liveCount: Int) {
    self.operations = operations
    self.localMask = localMask
    self.liveCount = liveCount
  }
}

/// The frozen structure of one evolution: which kernels run on which positions in which order.
/// Depends on the circuit's structure, the precision, the cost table and what is observed; never on
/// parameter values, threads or shots.
package struct Plan: Sendable {
  package var qubitCount: Int
  package var precision: Precision
  /// What its blocks were chosen by.
  package var costs: CostTable
  package var operations: [PlanOperation]
  package var stages: [PlanStage]
  /// The position that holds each qubit at the start and at the end (swaps are relabelled).
  package var initialPositions: [UInt8]
  package var finalPositions: [UInt8]
  /// Reals that all operations need together.
  package var coefficientCount: Int
  /// How the numbers follow from the circuit's gates; empty for a plan made by hand.
  package var recipe = PlanRecipe()

  package init(
    qubitCount: Int, precision: Precision, costs: CostTable, operations: [PlanOperation],
    stages: [PlanStage], initialPositions: [UInt8], finalPositions: [UInt8], coefficientCount: Int
  ) {
    self.qubitCount = qubitCount
    self.precision = precision
    self.costs = costs
    self.operations = operations
    self.stages = stages
    self.initialPositions = initialPositions
    self.finalPositions = finalPositions
    self.coefficientCount = coefficientCount
  }
}

/// A plan's numbers for one row of parameters.
package struct PlanNumbers: Sendable {
  /// Laid out by `PlanOperation.offset`; the executor narrows them for single precision.
  package var coefficients: [Double]
  /// A `qk_form` per operation: depends on values, so that a rotation costs half its arithmetic.
  package var forms: [UInt8]
  /// What was divided out by forms, per stage; the executor multiplies it in at the stage's end.
  package var stageScales: [Double]

  package init(coefficients: [Double], forms: [UInt8], stageScales: [Double]) {
    self.coefficients = coefficients
    self.forms = forms
    self.stageScales = stageScales
  }
}

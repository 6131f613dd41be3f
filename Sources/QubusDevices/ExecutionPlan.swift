/// How a device would evolve one row, for people to read: what `Plan` prints.
package struct ExecutionPlan: Sendable, Hashable {
  /// One kernel call.
  package struct Block: Sendable, Hashable {
    /// A word of `OperationKind`.
    package var kind: String
    /// Bits of the amplitude index that it acts on, and those that control it.
    package var positions: [UInt32]
    package var controls: [UInt32]
    /// Source gates in it.
    package var gateCount: Int
    package var flops: Double
    package var estimatedSeconds: Double

    package init(
      kind: String, positions: [UInt32], controls: [UInt32], gateCount: Int, flops: Double,
      estimatedSeconds: Double
    ) {
      self.kind = kind
      self.positions = positions
      self.controls = controls
      self.gateCount = gateCount
      self.flops = flops
      self.estimatedSeconds = estimatedSeconds
    }
  }

  /// Blocks that run chunk by chunk, with one barrier at the end.
  package struct Stage: Sendable, Hashable {
    package var localPositions: [UInt32]
    /// Positions from here on are still |0⟩.
    package var livePositions: Int
    package var blocks: [Block]
    /// Moved to and from memory.
    package var bytes: Double

    package init(localPositions: [UInt32], livePositions: Int, blocks: [Block], bytes: Double) {
      self.localPositions = localPositions
      self.livePositions = livePositions
      self.blocks = blocks
      self.bytes = bytes
    }

    package var flops: Double { blocks.reduce(0) { $0 + $1.flops } }
    package var estimatedSeconds: Double { blocks.reduce(0) { $0 + $1.estimatedSeconds } }
  }

  package var costTableVersion: Int
  package var numericPrecision: String
  package var instructionSet: String
  /// Gates as bound, before optimisation.
  package var gateCount: Int
  package var stages: [Stage]
  /// By qubit.
  package var initialPositions: [UInt32]
  package var finalPositions: [UInt32]

  package init(
    costTableVersion: Int, numericPrecision: String, instructionSet: String, gateCount: Int,
    stages: [Stage], initialPositions: [UInt32], finalPositions: [UInt32]
  ) {
    self.costTableVersion = costTableVersion
    self.numericPrecision = numericPrecision
    self.instructionSet = instructionSet
    self.gateCount = gateCount
    self.stages = stages
    self.initialPositions = initialPositions
    self.finalPositions = finalPositions
  }

  package var bytes: Double { stages.reduce(0) { $0 + $1.bytes } }
  package var flops: Double { stages.reduce(0) { $0 + $1.flops } }
  package var estimatedSeconds: Double { stages.reduce(0) { $0 + $1.estimatedSeconds } }
}

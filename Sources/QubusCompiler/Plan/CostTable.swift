/// What operations cost, so that a planner chooses between them: frozen in plans by its version.
package struct CostTable: Sendable, Hashable, Codable {
  /// Nanoseconds per amplitude of the state (not per touched amplitude) on one thread.
  package struct Figures: Sendable, Hashable, Codable {
    /// One-target rotation with known entries; with four free entries.
    package var rotation: Double
    package var oneQubitGeneral: Double
    /// Dense blocks of 1 ... 5 targets.
    package var dense: [Double]
    /// Real blocks of 2 and 3 targets.
    package var real2: Double
    package var real3: Double
    /// A diagonal or phase on all amplitudes; controls reduce it.
    package var diagonal: Double
    package var linear: Double
    package var linearControlled: Double
    package var negate: Double
    package var exchange: Double
    /// Moving every amplitude through the second-level cache once, for an operation by itself;
    /// and for one that shares its pass with neighbours (one-target runs, low positions).
    package var cachePass: Double
    package var sharedPass: Double
    /// Reading and writing every amplitude in memory: one stage.
    package var memoryPass: Double
  }

  package var version: Int
  package var single: Figures
  package var double: Figures

  package func figures(_ precision: Precision) -> Figures {
    precision == .single ? single : double
  }
}

extension CostTable {
  /// Counts of vector instructions times their time, complex128 with 8 and complex64 with 16
  /// lanes at about 4 GHz·instructions; not measured kernel by kernel.
  package static let counted = CostTable(
    version: 1, single: .counted(instruction: 0.015, bytes: 8),
    double: .counted(instruction: 0.03, bytes: 16))
}

extension CostTable.Figures {
  /// - Parameter instruction: nanoseconds for one vector instruction, per amplitude.
  /// - Parameter bytes: of one amplitude.
  static func counted(instruction: Double, bytes: Double) -> CostTable.Figures {
    CostTable.Figures(
      rotation: 2 * instruction, oneQubitGeneral: 4 * instruction,
      dense: [8, 16, 32, 64, 128].map { $0 * instruction }, real2: 8 * instruction,
      real3: 16 * instruction, diagonal: 4 * instruction, linear: 8 * instruction,
      linearControlled: 4 * instruction, negate: instruction, exchange: instruction,
      cachePass: 2 * bytes / 160, sharedPass: 2 * bytes / 480, memoryPass: 2 * bytes / 26)
  }

  /// Nanoseconds per amplitude of one operation.
  /// - Parameter controls: number of its controls.
  package func cost(_ kind: OperationKind, targets: Int, controls: Int) -> Double {
    let fraction = 1 / Double(UInt64(1) << UInt64(min(controls, 40)))
    switch kind {
    case .negate: return (negate + sharedPass) * fraction
    case .flip, .swap: return (exchange + sharedPass) * fraction
    case .phase, .diagonal: return (diagonal + sharedPass) * fraction
    case .linear:
      return controls == 0
        ? linear + sharedPass : 2 * fraction * (linearControlled + sharedPass)
    case .real where targets == 1, .cross:
      return controls == 0 ? rotation + sharedPass : (oneQubitGeneral + sharedPass) * fraction
    case .real: return ((targets == 2 ? real2 : real3) + cachePass) * fraction
    case .dense:
      let pass = targets == 1 ? sharedPass : cachePass
      return (dense[max(targets, 1) - 1] + pass) * fraction
    }
  }
}

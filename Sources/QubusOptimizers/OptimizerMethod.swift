/// The optimizers by their names on the wire, with the table of their options.
package enum OptimizerMethod: String, Sendable, Hashable, CaseIterable {
  case spsa
  case adam
  case lbfgs
  case nelderMead = "nelder_mead"
  case rotosolve

  /// Parameters that it takes; what it stores grows with their number, for Nelder–Mead with its
  /// square.
  package var parameterLimit: Int {
    switch self {
    case .spsa, .adam, .lbfgs, .rotosolve: 65_536
    case .nelderMead: 512
    }
  }

  /// Whether it asks for gradients.
  package var usesGradients: Bool {
    switch self {
    case .adam, .lbfgs: true
    case .spsa, .nelderMead, .rotosolve: false
    }
  }

  package var options: [OptimizerOption] {
    switch self {
    case .spsa: OptimizerOption.spsa
    case .adam: OptimizerOption.adam
    case .lbfgs: OptimizerOption.lbfgs
    case .nelderMead: OptimizerOption.nelderMead
    case .rotosolve: OptimizerOption.rotosolve
    }
  }

  var type: any Optimizer.Type {
    switch self {
    case .spsa: SPSA.self
    case .adam: Adam.self
    case .lbfgs: LBFGS.self
    case .nelderMead: NelderMead.self
    case .rotosolve: Rotosolve.self
    }
  }

  /// The byte that names it in a checkpoint; never reused.
  var checkpointTag: UInt8 {
    switch self {
    case .spsa: 1
    case .adam: 2
    case .lbfgs: 3
    case .nelderMead: 4
    case .rotosolve: 5
    }
  }
}

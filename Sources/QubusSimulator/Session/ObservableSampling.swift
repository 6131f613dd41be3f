internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore

/// Estimates observables from shots of states: groups of strings are measured together, each in its
/// own basis. Used by one thread at a time.
final class ObservableSampling {
  let groups: MeasurementGroups
  private let observableCount: Int
  private var changes: [BasisChange] = []
  /// Positions that the changes were made for.
  private var positions: [UInt8] = []
  private var turned: BlockedState?

  /// Shots of the first adaptive round, for each group; every later round doubles the total.
  static let firstRoundShots: UInt64 = 32

  init(_ groups: MeasurementGroups, observableCount: Int) {
    self.groups = groups
    self.observableCount = observableCount
  }

  /// The budget of one circuit.
  struct Budget {
    var shots: UInt64
    /// 0: all shots are taken in one round.
    var targetError: Double
  }

  /// Fewest shots that give every group one.
  var leastShots: UInt64 { UInt64(groups.groups.count) }

  /// Estimates all observables in one state.
  /// - Parameters:
  ///   - source: of uniforms, for group 0; group g has row `source.row + g`.
  ///   - values: room for a number for each observable.
  ///   - errors: the same for standard errors.
  /// - Returns: shots taken.
  func estimate(
    _ state: BlockedState, _ budget: Budget, _ source: ShotSource,
    values: UnsafeMutablePointer<Double>, errors: UnsafeMutablePointer<Double>,
    _ context: KernelContext
  ) throws(QubusError) -> UInt64 {
    try prepare(state)
    var estimates = groups.groups.map { $0.terms.map { GroupEstimate($0) } }
    var used: UInt64 = 0
    if !groups.groups.isEmpty {
      while true {
        let total = roundEnd(used, budget)
        let shares = groups.shares(of: total - used, first: used == 0)
        for (group, share) in shares.enumerated() where share > 0 {
          try sample(group, share, state, source, &estimates[group], context)
        }
        used = total
        if used >= budget.shots { break }
        let isReached = (0..<observableCount).allSatisfy { observable in
          estimates.reduce(0) { $0 + $1[observable].cautiousVariance }.squareRoot()
            <= budget.targetError
        }
        if isReached { break }
      }
    }
    for observable in 0..<observableCount {
      values[observable] = estimates.reduce(groups.constants[observable]) {
        $0 + $1[observable].mean
      }
      errors[observable] = error(estimates, observable)
    }
    return used
  }

  /// Shots after the next round: a schedule that depends on the budget alone.
  private func roundEnd(_ used: UInt64, _ budget: Budget) -> UInt64 {
    if budget.targetError <= 0 { return budget.shots }
    let first = Self.firstRoundShots * UInt64(groups.groups.count)
    return min(budget.shots, used == 0 ? first : 2 * used)
  }

  private func error(_ estimates: [[GroupEstimate]], _ observable: Int) -> Double {
    estimates.reduce(0) { $0 + $1[observable].variance }.squareRoot()
  }

  private func sample(
    _ group: Int, _ shots: UInt64, _ state: BlockedState, _ source: ShotSource,
    _ estimates: inout [GroupEstimate], _ context: KernelContext
  ) throws(QubusError) {
    var measured = state
    if groups.groups[group].x | groups.groups[group].y != 0, let turned {
      try changes[group].apply(state, to: turned, context)
      measured = turned
    }
    let sampler = try StateSampler(measured, context)
    let places = measured.positions.map { Int($0) }
    let own = ShotSource(
      philox: source.philox, pub: source.pub, row: source.row &+ UInt32(group),
      purpose: .estimation)
    // All observables of a group have had the same shots.
    let first = estimates.first.map(\.shots) ?? 0
    var done: UInt64 = 0
    while done < shots {
      let count = min(shots - done, 1 << 20)
      let outcomes = try sampler.sample(
        first: first + done, count: Int(count), own, positions: places, memory: false, context)
      for observable in estimates.indices {
        estimates[observable].add(
          outcomes.keys, outcomes.values, groups.groups[group].terms[observable])
      }
      done += count
    }
  }

  private func prepare(_ state: BlockedState) throws(QubusError) {
    if state.positions == positions, !changes.isEmpty || groups.groups.isEmpty { return }
    var made: [BasisChange] = []
    for group in groups.groups {
      made.append(try BasisChange(group, positions: state.positions, state.precision))
    }
    changes = made
    positions = state.positions
    if turned == nil {
      turned = try BlockedState(qubitCount: state.qubitCount, precision: state.precision)
    }
  }
}

internal import QubusCore

/// The weights of a running service that administration set.
package final class ShareWeights: Sendable {
  private struct State: Sendable {
    var weights: [QuotaScope: Double]
    var watchers: [@Sendable ([QuotaScope: Double]) -> Void] = []
  }
  private let state: Lock<State>

  package init(_ weights: [ShareWeight] = []) {
    state = Lock(State(weights: Dictionary(weights.map { ($0.scope, $0.weight) }) { $1 }))
  }

  /// Takes over weights that are durable.
  package func apply(_ changes: [TenancyChange]) {
    var isChanged = false
    state.withLock { state in
      for case .setWeight(let scope, let weight) in changes {
        state.weights[scope] = weight
        isChanged = true
      }
    }
    guard isChanged else { return }
    let (weights, watchers) = state.withLock { ($0.weights, $0.watchers) }
    for watcher in watchers { watcher(weights) }
  }

  /// Tells all weights now and whenever one changes.
  package func watch(_ watcher: @escaping @Sendable ([QuotaScope: Double]) -> Void) {
    let weights = state.withLock { state in
      state.watchers.append(watcher)
      return state.weights
    }
    watcher(weights)
  }
}

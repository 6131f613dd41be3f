internal import QubusCore
internal import Synchronization

/// The drained devices of a running service. One atomic load while there are none.
package final class DeviceDrains: Sendable {
  package typealias Watcher = @Sendable ([String: DeviceDrain]) -> Void
  private struct State: Sendable {
    var drains: [String: DeviceDrain]
    var watchers: [Watcher] = []
  }
  private let state: Lock<State>
  private let isAny: Atomic<Bool>

  package init(_ drains: [DeviceDrain] = []) {
    state = Lock(State(drains: Dictionary(drains.map { ($0.device, $0) }) { $1 }))
    isAny = Atomic(!drains.isEmpty)
  }

  package subscript(device: String) -> DeviceDrain? {
    guard isAny.load(ordering: .relaxed) else { return nil }
    return state.withLock { $0.drains[device] }
  }

  /// Takes over what is durable.
  package func apply(_ changes: [TenancyChange]) {
    let told = state.withLock { state -> ([String: DeviceDrain], [Watcher])? in
      var isChanged = false
      for change in changes {
        switch change {
        case .drain(let drain): state.drains[drain.device] = drain
        case .endDrain(let device): state.drains[device] = nil
        default: continue
        }
        isChanged = true
      }
      guard isChanged else { return nil }
      isAny.store(!state.drains.isEmpty, ordering: .relaxed)
      return (state.drains, state.watchers)
    }
    guard let (drains, watchers) = told else { return }
    for watcher in watchers { watcher(drains) }
  }

  /// Tells all drains now and whenever one changes.
  package func watch(_ watcher: @escaping Watcher) {
    let drains = state.withLock { state in
      state.watchers.append(watcher)
      return state.drains
    }
    watcher(drains)
  }
}

package import QubusCore

/// The calendars of all devices of a running service, as administration made them.
package final class ReservationBook: Sendable {
  private struct State: Sendable {
    var reservations: [Identifier: Reservation]
    var watchers: [@Sendable ([Reservation]) -> Void] = []
  }
  private let state: Lock<State>

  package init(_ reservations: [Reservation] = []) {
    state = Lock(
      State(reservations: Dictionary(reservations.map { ($0.id, $0) }) { $1 }))
  }

  /// Takes over changes that are durable.
  package func apply(_ changes: [TenancyChange]) {
    var isChanged = false
    state.withLock { state in
      for case .calendar(let change) in changes {
        switch change {
        case .create(let reservation): state.reservations[reservation.id] = reservation
        case .extend(let id, let endsAt): state.reservations[id]?.endsAt = endsAt
        case .cancel(let id): state.reservations[id] = nil
        }
        isChanged = true
      }
    }
    guard isChanged else { return }
    let (all, watchers) = state.withLock { (Self.sorted($0), $0.watchers) }
    for watcher in watchers { watcher(all) }
  }

  /// Tells all windows now and whenever one changes; ended ones may be among them.
  package func watch(_ watcher: @escaping @Sendable ([Reservation]) -> Void) {
    let all = state.withLock { state in
      state.watchers.append(watcher)
      return Self.sorted(state)
    }
    watcher(all)
  }

  /// One that has not ended.
  package func reservation(_ id: Identifier, now: Microseconds) -> Reservation? {
    state.withLock { $0.reservations[id] }.flatMap { $0.endsAt > now ? $0 : nil }
  }

  /// Those that have not ended, in order of times; what has is forgotten.
  package func all(now: Microseconds) -> [Reservation] {
    state.withLock { state in
      state.reservations = state.reservations.filter { $0.value.endsAt > now }
      return Self.sorted(state)
    }
  }

  /// Seconds that are reserved from now on and count for a scope, each window's rounded up.
  package func secondsAhead(of scope: QuotaScope, now: Microseconds) -> Int64 {
    all(now: now).filter { $0.isHeld(in: scope) }
      .reduce(0) { $0 + Self.seconds($1.endsAt - max(now, $1.startsAt)) }
  }

  static func seconds(_ time: Microseconds) -> Int64 { (time + 999_999) / 1_000_000 }

  private static func sorted(_ state: State) -> [Reservation] {
    state.reservations.values.sorted { ($0.startsAt, $0.id) < ($1.startsAt, $1.id) }
  }
}

extension QuotaKeeper {
  /// Whether a holder may have so much more time reserved. Its tenant has to have a quota; those of
  /// the project and of the principal bind besides, where there are any.
  /// - Throws: `quota_exceeded`.
  package func checkReserved(
    _ time: Microseconds, for holder: QuotaScope, in book: ReservationBook, now: Microseconds
  ) throws(QubusError) {
    var scopes = [QuotaScope.tenant(holder.tenant)]
    if let project = holder.project {
      scopes.append(.project(tenant: holder.tenant, project))
    }
    if case .principal = holder.place { scopes.append(holder) }
    for scope in scopes {
      let limit = status(of: scope, .reservedSeconds).limit
      if limit == nil, scope != scopes.first { continue }
      let (used, asked) = (book.secondsAhead(of: scope, now: now), ReservationBook.seconds(time))
      guard used.addingClamped(asked) <= limit ?? 0 else {
        throw QuotaRefusal(
          scope: scope, quota: .reservedSeconds, limit: limit ?? 0, used: used, asked: asked
        ).error
      }
    }
  }
}

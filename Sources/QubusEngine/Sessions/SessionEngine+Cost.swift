internal import Logging
internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// What a session was charged so far.
final class SessionMeter: Sendable {
  /// In force when the session was opened; a later one does not touch it.
  let price: Price
  private let charged: Lock<ChargedUsage>

  init(_ price: Price, charged: ChargedUsage = ChargedUsage()) {
    self.price = price
    self.charged = Lock(charged)
  }

  /// Of a session that was free until now: what it used before stays so.
  init(_ price: Price, from usage: SessionUsage) {
    self.price = price
    var free = ChargedUsage()
    if usage.steps > 0 {
      free.shots = usage.shotsUsed
      free.deviceMicroseconds = Self.microseconds(usage)
      free.cost = price.cost(shots: free.shots, deviceMicroseconds: free.deviceMicroseconds)
    }
    charged = Lock(free)
  }

  private static func microseconds(_ usage: SessionUsage) -> Microseconds {
    Microseconds(clamping: usage.deviceNanoseconds / 1000)
      + (usage.deviceNanoseconds % 1000 == 0 ? 0 : 1)
  }

  /// What was taken could not be written: it is charged with what comes after it.
  func giveBack(_ usage: ChargedUsage) {
    charged.withLock { charged in
      charged.cost -= usage.cost
      charged.shots -= usage.shots
      charged.deviceMicroseconds -= usage.deviceMicroseconds
    }
  }

  /// What was used and not charged yet, from now on charged; nil for nothing.
  func take(_ usage: SessionUsage) -> ChargedUsage? {
    guard usage.steps > 0 else { return nil }
    let time = Self.microseconds(usage)
    let cost = price.cost(shots: usage.shotsUsed, deviceMicroseconds: time)
    return charged.withLock { charged in
      var new = ChargedUsage()
      new.cost = cost - charged.cost
      guard new.cost > 0, usage.shotsUsed >= charged.shots, time >= charged.deviceMicroseconds
      else { return nil }
      new.shots = usage.shotsUsed - charged.shots
      new.deviceMicroseconds = time - charged.deviceMicroseconds
      charged.cost = cost
      charged.shots = usage.shotsUsed
      charged.deviceMicroseconds = time
      return new
    }
  }
}

/// Steps are too many for a hold each: what a session used is charged with its journal, and the
/// session ends when nothing is left to spend.
extension SessionEngine {
  func meter(_ record: SessionRecord) -> SessionMeter? {
    guard let ledger else { return nil }
    let charged = ledger.charged(record.id)
    if let price = charged.price { return SessionMeter(price, charged: charged) }
    return ledger.price(of: record.device).map { SessionMeter($0, from: record.usage) }
  }

  /// With the journal.
  func charge(_ sessions: [Session]) {
    let now = clock.now()
    for session in sessions where session.meter != nil {
      guard let refusal = charge(session, session.usage.read().usage, at: now) else { continue }
      logger.info(
        "a session has nothing left to spend",
        metadata: ["session_id": "\(session.id)", "error": "\(refusal.logText)"])
      end(session, .budget)
    }
  }

  /// - Returns: why the session may use no more.
  @discardableResult
  func charge(_ session: Session, _ usage: SessionUsage, at now: Microseconds) -> QubusError? {
    guard let ledger, let meter = session.meter, let new = meter.take(usage) else { return nil }
    let base = session.base
    let (hold, alerts, refusal) = ledger.charge(
      CostHold(
        price: meter.price, experimentClass: "", experiment: base.name, heldAt: now, parts: []),
      amount: new.cost, for: base.principal)
    logger.tell(alerts)
    let charge = SessionCharge(
      session: base.id, principal: base.principal, device: base.device, hold: hold,
      shots: new.shots, deviceMicroseconds: new.deviceMicroseconds)
    store.perform(
      .charge([charge]) { [logger] result in
        guard case .failure(let error) = result else { return }
        // With the next journal, if one comes.
        ledger.takeBack(hold, of: base.principal)
        meter.giveBack(new)
        logger.error(
          "what a session cost was not written",
          metadata: ["session_id": "\(base.id)", "error": "\(error.logText)"])
      })
    return refusal
  }
}

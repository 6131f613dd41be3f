package import QubusCore

/// What the use of a device costs, in micro-units of the service's own currency.
package struct Price: Sendable, Hashable {
  package var perJob: Int64
  package var perShot: Int64
  package var perDeviceSecond: Int64

  /// Of each figure: a million units.
  package static let limit: Int64 = 1_000_000_000_000
  /// Of one cost; sums of thousands of these stay within 64 bits.
  package static let costLimit: Int64 = 1_000_000_000_000_000

  package init(perJob: Int64 = 0, perShot: Int64 = 0, perDeviceSecond: Int64 = 0) {
    self.perJob = perJob
    self.perShot = perShot
    self.perDeviceSecond = perDeviceSecond
  }

  /// What a run costs: the job, its shots, its device time. The share of the device time is rounded
  /// up to the next micro-unit, once a charge; nothing else is rounded. Clamped at `costLimit`.
  package func cost(shots: UInt64, deviceMicroseconds: Microseconds) -> Int64 {
    let time = Int128(perDeviceSecond) * Int128(max(0, deviceMicroseconds))
    let total =
      Int128(perJob) + Int128(perShot) * Int128(shots) + (time + 999_999) / 1_000_000
    return Int64(min(total, Int128(Self.costLimit)))
  }
}

/// A part of a sum of money and where it comes from.
package struct CostPart: Sendable, Hashable {
  /// Number of an entitlement; 0: on account, to be paid later.
  package var entitlement: Int64
  /// Micro-units, positive.
  package var amount: Int64

  package init(entitlement: Int64, amount: Int64) {
    self.entitlement = entitlement
    self.amount = amount
  }
}

extension [CostPart] {
  package var total: Int64 { reduce(0) { $0 + $1.amount } }
}

/// What the acceptance of a job sets aside, and by what its end is charged.
package struct CostHold: Sendable, Hashable {
  /// In force at acceptance; a later one does not touch the job.
  package var price: Price
  package var experimentClass: String
  /// Id of the experiment, or its name.
  package var experiment: String
  /// Also the time by which budgets count it.
  package var heldAt: Microseconds
  /// In the order in which they are spent.
  package var parts: [CostPart]

  package init(
    price: Price, experimentClass: String, experiment: String, heldAt: Microseconds,
    parts: [CostPart]
  ) {
    self.price = price
    self.experimentClass = experimentClass
    self.experiment = experiment
    self.heldAt = heldAt
    self.parts = parts
  }

  package var amount: Int64 { parts.total }
}

/// What an acceptance is told of costs and quotas. Behind a pointer: most jobs are free.
package indirect enum CostAcceptance: Sendable, Hashable {
  case held(CostHold)
  /// There is not enough to spend or to use: only a job that is known under its key is answered.
  case refused(QubusError)
}

/// What the end of a job comes to. An end without one gives everything back.
package struct CostSettlement: Sendable, Hashable {
  /// At most what is held, `extension` included.
  package var charge: Int64
  /// Set aside while the job ran, because the run took more than was thought.
  package var `extension`: [CostPart]

  package init(charge: Int64, extension: [CostPart] = []) {
    self.charge = charge
    self.extension = `extension`
  }
}

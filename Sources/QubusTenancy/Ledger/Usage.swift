package import QubusCore
internal import QubusJobs

/// By what usage is summed up.
package enum UsageGroup: String, Sendable, Hashable, CaseIterable {
  case job, tag, session, project, principal, device, experimentClass = "class"
}

/// Which charges are asked for. Jobs count by the time of their acceptance, sessions by day.
package struct UsageQuery: Sendable, Hashable {
  package var group: UsageGroup
  /// Empty: every tenant, project, principal.
  package var tenant = ""
  package var project = ""
  package var principal = ""
  /// Empty: any.
  package var device = ""
  package var tag = ""
  package var experimentClass = ""
  /// Microseconds UTC; `until` exclusive.
  package var since: Microseconds = 0
  package var until: Microseconds = .max
  /// Rows at most, the dearest first.
  package var limit = 1000

  package init(group: UsageGroup) { self.group = group }
}

package struct UsageRow: Sendable, Hashable {
  /// Id, tag, `tenant/project`, `tenant/project/name`, device or class.
  package var key: String
  package var jobs: UInt64
  package var succeeded: UInt64
  package var sessions: UInt64
  package var shots: UInt64
  package var deviceMicroseconds: Microseconds
  /// Micro-units that are held now.
  package var held: Int64
  /// Micro-units that were charged.
  package var cost: Int64

  package init(
    key: String, jobs: UInt64, succeeded: UInt64, sessions: UInt64, shots: UInt64,
    deviceMicroseconds: Microseconds, held: Int64, cost: Int64
  ) {
    self.key = key
    self.jobs = jobs
    self.succeeded = succeeded
    self.sessions = sessions
    self.shots = shots
    self.deviceMicroseconds = deviceMicroseconds
    self.held = held
    self.cost = cost
  }
}

/// What cost is set in relation to.
package struct UsageDenominators: Sendable, Hashable {
  /// That jobs waited before they started.
  package var queueMicroseconds: Microseconds = 0
  package var successfulJobs: UInt64 = 0
  /// Experiments, by id or name, of which a job succeeded; a job without either is one of its own.
  package var successfulExperiments: UInt64 = 0
  /// The same of class `validation`.
  package var validatedBenchmarks: UInt64 = 0

  package init() {}
}

package struct UsageReport: Sendable, Hashable {
  package var rows: [UsageRow]
  /// Over everything that was asked for, beyond the rows too.
  package var total: UsageRow
  package var denominators: UsageDenominators

  package init(rows: [UsageRow], total: UsageRow, denominators: UsageDenominators) {
    self.rows = rows
    self.total = total
    self.denominators = denominators
  }
}

/// Durable home of the ledger, beside jobs, which hold and settle in their own transactions.
package protocol LedgerStore: Sendable {
  /// At start, before anything is accepted.
  func ledgerSnapshot() throws(QubusError) -> LedgerSnapshot
  func usage(_ query: UsageQuery) throws(QubusError) -> UsageReport
}

package import QubusCore

/// Classes of experiments that have budgets of their own.
package enum ExperimentClass: String, Sendable, Hashable, CaseIterable {
  case validation, comparison, calibration, demo
}

/// After what time a budget begins anew; all begin at midnight UTC.
package enum BudgetPeriod: String, Sendable, Hashable, CaseIterable {
  /// Never.
  case always
  case day
  /// On Monday.
  case week
  /// On the first.
  case month

  private static let dayMicroseconds: Microseconds = 86_400_000_000

  /// Days since 1970-01-01; times before that are of its first day.
  package static func day(of time: Microseconds) -> Int64 { max(0, time) / dayMicroseconds }

  /// First day of the period that the day lies in.
  package func start(of day: Int64) -> Int64 {
    switch self {
    case .always: 0
    case .day: day
    // 1970-01-01 was a Thursday.
    case .week: max(0, day - (day + 3) % 7)
    case .month: day - Self.dayOfMonth(day)
    }
  }

  /// When the period that the day lies in ends; nil: never.
  package func end(of day: Int64) -> Microseconds? {
    self == .always ? nil : days(of: day).upperBound * Self.dayMicroseconds
  }

  /// The days of the period that the day lies in.
  package func days(of day: Int64) -> Range<Int64> {
    switch self {
    case .always: 0..<Int64.max
    case .day: day..<day + 1
    case .week: start(of: day)..<day - (day + 3) % 7 + 7
    case .month: start(of: day)..<start(of: start(of: day) + 31)
    }
  }

  /// 0 on the first of a month.
  /// - Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
  private static func dayOfMonth(_ day: Int64) -> Int64 {
    let shifted = day + 719_468
    let dayOfEra = shifted % 146_097
    let year = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * year + year / 4 - year / 100)
    let month = (5 * dayOfYear + 2) / 153
    return dayOfYear - (153 * month + 2) / 5
  }
}

/// What a project may spend, altogether or on one class of experiments, in a period.
package struct Budget: Sendable, Hashable {
  package var project: LedgerProject
  /// Nil: all classes and none.
  package var experimentClass: ExperimentClass?
  package var period: BudgetPeriod
  /// Micro-units; passing it is told.
  package var softCap: Int64?
  /// Micro-units; passing it is refused.
  package var hardCap: Int64?

  package init(
    project: LedgerProject, experimentClass: ExperimentClass? = nil, period: BudgetPeriod,
    softCap: Int64? = nil, hardCap: Int64? = nil
  ) {
    self.project = project
    self.experimentClass = experimentClass
    self.period = period
    self.softCap = softCap
    self.hardCap = hardCap
  }

  /// `lab/qc`, `lab/qc for demo`.
  package var text: String {
    project.text + (experimentClass.map { " for \($0.rawValue)" } ?? "")
  }

  func counts(_ experimentClass: String) -> Bool {
    self.experimentClass.map { $0.rawValue == experimentClass } ?? true
  }
}

/// A budget and where it stands.
package struct BudgetReport: Sendable, Hashable {
  package var budget: Budget
  /// Held and spent in this period.
  package var used: Int64
  /// When the next period begins; nil: never.
  package var resetsAt: Microseconds?

  package init(budget: Budget, used: Int64, resetsAt: Microseconds?) {
    self.budget = budget
    self.used = used
    self.resetsAt = resetsAt
  }

  package var isPastSoftCap: Bool { budget.softCap.map { used > $0 } ?? false }
}

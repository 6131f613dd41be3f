internal import ArgumentParser

/// A time in UTC: `2026-11-21` or `2026-11-21T10:30:00`.
struct TimeArgument: ExpressibleByArgument {
  let microseconds: Int

  init?(argument: String) {
    let halves = argument.split(separator: "T", maxSplits: 1, omittingEmptySubsequences: false)
    guard let date = Self.numbers(halves[0], between: "-", digits: [4, 2, 2]),
      let time = halves.count == 1
        ? [0, 0, 0] : Self.numbers(halves[1], between: ":", digits: [2, 2, 2]),
      date[0] >= 1970, (1...12).contains(date[1]), date[2] >= 1,
      time[0] < 24, time[1] < 60, time[2] < 60
    else { return nil }
    let month = Self.daysBefore(year: date[0], month: date[1])
    let next = Self.daysBefore(year: date[0] + date[1] / 12, month: date[1] % 12 + 1)
    guard date[2] <= next - month else { return nil }
    let seconds = (month + date[2] - 1) * 86_400 + time[0] * 3600 + time[1] * 60 + time[2]
    microseconds = seconds * 1_000_000
  }

  private static func numbers(
    _ text: Substring, between mark: Character, digits: [Int]
  ) -> [Int]? {
    let parts = text.split(separator: mark, omittingEmptySubsequences: false)
    guard parts.map(\.count) == digits, parts.allSatisfy({ $0.allSatisfy(\.isASCII) }) else {
      return nil
    }
    let numbers = parts.compactMap { UInt16($0) }.map(Int.init)
    return numbers.count == parts.count ? numbers : nil
  }

  /// Days from 1970-01-01 to the first of a month.
  /// - Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
  private static func daysBefore(year: Int, month: Int) -> Int {
    let year = month <= 2 ? year - 1 : year
    let era = year / 400
    let yearOfEra = year - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }
}

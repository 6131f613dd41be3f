internal import ArgumentParser

/// A length of time: `90` or `90s`, `30m`, `2h`, `1.5d`.
struct DurationArgument: ExpressibleByArgument {
  let seconds: Double

  init?(argument: String) {
    let unit: (Character) -> Double? = { ["s": 1, "m": 60, "h": 3600, "d": 86_400][$0] }
    let factor = argument.last.flatMap(unit)
    let digits = factor == nil ? Substring(argument) : argument.dropLast()
    guard digits.first?.isNumber == true, digits.allSatisfy({ $0.isNumber || $0 == "." }),
      let number = Double(digits), number.isFinite
    else { return nil }
    seconds = number * (factor ?? 1)
  }
}

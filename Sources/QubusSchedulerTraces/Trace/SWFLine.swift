internal import QubusCore

/// One line of a trace in the Standard Workload Format.
struct SWFLine {
  /// 1-based.
  var number: Int
  var text: Substring

  /// Largest number that a field may hold: 3,000 years in seconds, and exact in microseconds.
  private static let largestValue = 1e11

  var isBlank: Bool { text.allSatisfy(\.isWhitespace) }
  var isComment: Bool { text.first { !$0.isWhitespace } == ";" }

  /// A whole number of the header, as in `; MaxProcs: 240`.
  var headerEntry: (String, Int)? {
    let parts = text.drop { $0.isWhitespace || $0 == ";" }.split(separator: ":", maxSplits: 1)
    guard parts.count == 2, let value = Int(parts[1].filter { !$0.isWhitespace }) else {
      return nil
    }
    return (String(parts[0]), value)
  }

  /// The 18 numbers.
  func values() throws(QubusError) -> [Double] {
    let fields = text.split { $0.isWhitespace }
    guard fields.count == SWFReader.fieldCount else {
      throw error(
        at: min(fields.count, SWFReader.fieldCount), text: "",
        "a job has \(SWFReader.fieldCount) fields, this line has \(fields.count)")
    }
    var values: [Double] = []
    values.reserveCapacity(fields.count)
    for (index, field) in fields.enumerated() {
      guard let value = Double(field), value.isFinite else {
        throw error(at: index, text: String(field), "field \(index + 1) is not a number")
      }
      guard value >= 0 || value == -1 else {
        throw error(
          at: index, text: String(field), "field \(index + 1) is negative; −1 means unknown")
      }
      guard value <= Self.largestValue else {
        throw error(
          at: index, text: String(field),
          "field \(index + 1) is above the limit of \(Self.largestValue)")
      }
      values.append(value)
    }
    guard values[SWFReader.Field.submitted.rawValue - 1] >= 0 else {
      throw error(.submitted, "the submit time is unknown")
    }
    return values
  }

  func error(_ field: SWFReader.Field, _ explanation: String) -> QubusError {
    let fields = text.split { $0.isWhitespace }
    let index = field.rawValue - 1
    return error(
      at: index, text: index < fields.count ? String(fields[index]) : "",
      "\(field.name): \(explanation)")
  }

  private func error(at index: Int, text found: String, _ explanation: String) -> QubusError {
    let fields = text.split { $0.isWhitespace }
    let start = index < fields.count ? fields[index].startIndex : text.endIndex
    let column = text.unicodeScalars.distance(from: text.startIndex, to: start) + 1
    return QubusError(
      .invalidRequest, "the trace is broken: \(explanation)",
      location: SourceLocation(
        line: number, column: column, text: found,
        excerpt: "\(text)\n" + String(repeating: " ", count: column - 1) + "^"),
      violations: [FieldViolation(field: "line \(number)", explanation: explanation)])
  }
}

/// Aligned columns for people.
struct Table {
  enum Alignment { case left, right }

  private let columns: [(title: String, alignment: Alignment)]
  private var rows: [[String]] = []

  init(_ columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

  mutating func append(_ row: [String]) {
    precondition(row.count == columns.count, "a row has one cell a column")
    rows.append(row.map(Self.printable))
  }

  var text: String {
    let widths = columns.indices.map { column in
      max(columns[column].title.count, rows.map { $0[column].count }.max() ?? 0)
    }
    let lines = ([columns.map(\.title)] + rows).map { row in
      let cells = row.indices.map { column in
        let padding = String(repeating: " ", count: widths[column] - row[column].count)
        switch columns[column].alignment {
        case .left: return row[column] + padding
        case .right: return padding + row[column]
        }
      }
      return Self.withoutTrailingSpace(cells.joined(separator: "  "))
    }
    return lines.joined(separator: "\n")
  }

  /// Two columns without titles, for the fields of one thing; empty values are left out.
  static func fields(_ fields: [(name: String, value: String)]) -> String {
    let shown = fields.filter { !$0.value.isEmpty }
    let width = shown.map(\.name.count).max() ?? 0
    return shown.map { field in
      field.name + String(repeating: " ", count: width - field.name.count + 2)
        + printable(field.value)
    }.joined(separator: "\n")
  }

  /// Names and messages come from elsewhere: control characters must not reach the terminal.
  static func printable(_ text: String) -> String {
    String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "\u{FFFD}" : $0 }))
  }

  private static func withoutTrailingSpace(_ line: String) -> String {
    var line = line
    while line.last == " " { line.removeLast() }
    return line
  }
}

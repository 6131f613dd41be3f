/// Finds where a top-level key of a TOML text stands; the parser tells only of syntax errors.
struct KeyScanner {
  private let lines: [Substring]

  init(_ text: String) {
    // A carriage return and a line feed are one Character, hence the scalars.
    lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
      .map { Substring($0) }
  }

  /// Line and column from 1, column in Unicode scalars; line 1 and column 0 when it is nowhere.
  func place(of key: String) -> (line: Int, column: Int) {
    let spellings = [key, "\"\(key)\"", "'\(key)'"]
    var isInsideText = false
    for (index, line) in lines.enumerated() {
      let marks = Self.count("\"\"\"", line) + Self.count("'''", line)
      defer { if marks % 2 == 1 { isInsideText.toggle() } }
      if isInsideText { continue }
      let content = line.unicodeScalars.drop { $0 == " " || $0 == "\t" || $0 == "[" }
      let column = line.unicodeScalars.count - content.count + 1
      for spelling in spellings where content.starts(with: spelling.unicodeScalars) {
        let next = content.dropFirst(spelling.unicodeScalars.count).first
        if let next, "=. \t]".unicodeScalars.contains(next) { return (index + 1, column) }
      }
    }
    return (1, 0)
  }

  private static func count(_ mark: String, _ line: Substring) -> Int {
    var count = 0
    var rest = line.unicodeScalars[...]
    while !rest.isEmpty {
      if rest.starts(with: mark.unicodeScalars) {
        count += 1
        rest = rest.dropFirst(mark.unicodeScalars.count)
      } else {
        rest = rest.dropFirst()
      }
    }
    return count
  }
}

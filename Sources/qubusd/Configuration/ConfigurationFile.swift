internal import TOMLKit

/// The settings of a TOML file, each with its place.
struct ConfigurationFile {
  private static let byteLimit = 1 << 20

  private(set) var values:
    [(setting: ConfigurationSetting, texts: [String], source: ConfigurationSource)] = []
  private(set) var problems: [ConfigurationProblem] = []

  private let path: String
  private let scanner: KeyScanner

  init(path: String) {
    self.path = path
    switch TextFile.bytes(path, byteLimit: Self.byteLimit) {
    case .failure(let failure):
      scanner = KeyScanner("")
      report(line: 1, "cannot read the file: \(failure.message)")
    case .success(let bytes):
      guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
        scanner = KeyScanner("")
        report(line: Self.firstBadLine(bytes), "the file is not UTF-8 text")
        return
      }
      scanner = KeyScanner(text)
      read(text)
    }
  }

  private mutating func read(_ text: String) {
    let table: TOMLTable
    do {
      table = try TOMLTable(string: text)
    } catch let error as TOMLParseError {
      let place = error.source.begin
      return report(line: place.line, column: place.column, error.description)
    } catch {
      return report(line: 1, "\(error)")
    }
    for key in table.keys {
      let place = scanner.place(of: key)
      guard let setting = ConfigurationSetting(rawValue: key) else {
        let known = ConfigurationSetting.allCases.map(\.key).joined(separator: ", ")
        report(line: place.line, column: place.column, key: key, "unknown key; known are \(known)")
        continue
      }
      guard let value = table[key], let texts = Self.texts(value, setting.kind) else {
        report(
          line: place.line, column: place.column, key: key,
          "\(table[key]?.type.rawValue ?? "nothing") given, \(setting.kind.rawValue) expected")
        continue
      }
      let source = ConfigurationSource.file(
        path: path, line: place.line, column: place.column, key: key)
      values.append((setting, texts, source))
    }
    // The parser gives keys in the alphabet's order; people read from top to bottom.
    problems.sort { Self.line($0) < Self.line($1) }
  }

  /// The value as the texts the setting takes; nil when it is of another type.
  private static func texts(
    _ value: any TOMLValueConvertible, _ kind: ConfigurationSetting.Kind
  ) -> [String]? {
    switch kind {
    case .text: return value.string.map { [$0] }
    case .integer: return value.int.map { ["\($0)"] }
    case .size: return (value.string ?? value.int.map { "\($0)" }).map { [$0] }
    case .list:
      if let text = value.string { return [text] }
      guard let array = value.array else { return nil }
      let texts = array.map(\.string)
      return texts.contains(nil) ? nil : texts.compactMap { $0 }
    }
  }

  private static func line(_ problem: ConfigurationProblem) -> Int {
    if case .file(_, let line, _, _) = problem.source { line } else { 0 }
  }

  private static func firstBadLine(_ bytes: [UInt8]) -> Int {
    let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
    let index = lines.firstIndex {
      $0.contains(0) || String(validating: $0, as: UTF8.self) == nil
    }
    return (index ?? 0) + 1
  }

  private mutating func report(line: Int, column: Int = 0, key: String = "", _ message: String) {
    problems.append(
      ConfigurationProblem(
        source: .file(path: path, line: line, column: column, key: key), message: message))
  }
}

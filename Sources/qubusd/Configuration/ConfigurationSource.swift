/// Where a value was given, for messages about it.
enum ConfigurationSource: Sendable, Equatable {
  case flag(String)
  case environment(String)
  /// A place in the file; column 0 when only the line is known.
  case file(path: String, line: Int, column: Int, key: String)
}

extension ConfigurationSource: CustomStringConvertible {
  var description: String {
    switch self {
    case .flag(let name): "flag \(name)"
    case .environment(let name): "environment variable \(name)"
    case .file(let path, let line, let column, let key):
      "\(path):\(line)" + (column > 0 ? ":\(column)" : "") + (key.isEmpty ? "" : ": \(key)")
    }
  }
}

/// Something wrong with the configuration.
struct ConfigurationProblem: Error, Sendable, Equatable, CustomStringConvertible {
  let source: ConfigurationSource
  let message: String

  var description: String { "\(source): \(message)" }
}

/// All that is wrong, so that one look is enough.
struct ConfigurationProblems: Error, Sendable {
  let problems: [ConfigurationProblem]
}

internal import QubusServer

/// Puts the configuration together: flags over environment over file over defaults.
struct ConfigurationLoader {
  let flags: [ConfigurationSetting: [String]]
  let configurationFile: String?
  let environment: [String: String]

  /// - Throws: every problem there is, the weakest source first.
  func load() throws(ConfigurationProblems) -> Configuration {
    var configuration = Configuration(environment: environment)
    var problems: [ConfigurationProblem] = []
    func apply(_ setting: ConfigurationSetting, _ texts: [String], _ source: ConfigurationSource) {
      do throws(ConfigurationSetting.Failure) {
        try setting.apply(texts, to: &configuration)
      } catch {
        problems.append(ConfigurationProblem(source: source, message: error.message))
      }
    }
    if let path = configurationFile ?? environment["QUBUS_CONFIG"].flatMap(Self.nonEmpty) {
      let file = ConfigurationFile(path: path)
      problems += file.problems
      for value in file.values { apply(value.setting, value.texts, value.source) }
    }
    for setting in ConfigurationSetting.allCases {
      guard let text = environment[setting.environmentName].flatMap(Self.nonEmpty) else { continue }
      let texts = setting.kind == .list ? text.split(separator: ",").map(String.init) : [text]
      apply(setting, texts, .environment(setting.environmentName))
    }
    for setting in ConfigurationSetting.allCases {
      if let texts = flags[setting], !texts.isEmpty {
        apply(setting, texts, .flag(setting.flag))
      }
    }
    problems += Self.check(configuration)
    guard problems.isEmpty else { throw ConfigurationProblems(problems: problems) }
    return configuration
  }

  /// Rules between settings.
  private static func check(_ configuration: Configuration) -> [ConfigurationProblem] {
    guard configuration.endpoints.isEmpty else { return [] }
    let path = configuration.dataDirectory + "/qubus.sock"
    guard path.utf8.count > Endpoint.pathLimit else { return [] }
    return [
      ConfigurationProblem(
        source: .flag("--data-dir"),
        message: "the socket's path \(path) has \(path.utf8.count) bytes (limit: "
          + "\(Endpoint.pathLimit)); use a shorter directory, or name a socket with --listen")
    ]
  }

  private static func nonEmpty(_ text: String) -> String? { text.isEmpty ? nil : text }
}

internal import Glibc
internal import Logging
internal import QubusCore

/// Writes one line per record to standard error: JSON for machines, text for people. Of what
/// belongs to a record it takes the fields that may be logged (`LogField`).
struct LineLogHandler: LogHandler {
  let label: String
  let format: Configuration.LogFormat
  let clock: any Clock
  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let given = metadata.merging(event.metadata ?? [:]) { $1 }
    var all = given.filter { LogField(rawValue: $0.key) != nil }
      .map { (key: $0.key, value: String("\($0.value)".prefix(LogField.characterLimit))) }
      .sorted { $0.key < $1.key }
    if all.count < given.count { all.append(("fields_left_out", "\(given.count - all.count)")) }
    let time = LogTime.text(clock.now())
    var line: String
    switch format {
    case .json:
      var members = [
        ("time", time), ("level", event.level.rawValue), ("logger", label),
        ("message", "\(event.message)"),
      ]
      members += all.map { ($0.key, $0.value) }
      line = JSONLine.object(members.map { ($0.0, JSONLine.quoted($0.1)) })
    case .text:
      line = "\(time) \(event.level.rawValue) \(event.message)"
      for (key, value) in all { line += " \(key)=\(value)" }
      line = JSONLine.withoutControls(line)
    }
    JSONLine.write(line, to: STDERR_FILENO)
  }
}

/// Times as RFC 3339 in UTC with microseconds.
enum LogTime {
  static func text(_ time: Microseconds) -> String {
    var seconds = time_t(time / 1_000_000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    var buffer = [CChar](repeating: 0, count: 32)
    let count = strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%S", &parts)
    let head = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let fraction = String(time % 1_000_000)
    return head + "." + String(repeating: "0", count: 6 - fraction.count) + fraction + "Z"
  }
}

internal import Glibc
internal import QubusClient

/// Words for people from the server's JSON.
enum Summary {
  /// The plain word of an enumeration's value: `JOB_STATUS_QUEUED` and `queued` are both `queued`.
  static func word(_ value: JSONValue?, prefix: String = "") -> String {
    let text = value?.string ?? ""
    guard text.hasPrefix(prefix) else { return text.lowercased() }
    return text.dropFirst(prefix.count).lowercased()
  }

  static func status(_ job: JSONValue) -> String { word(job["status"], prefix: "JOB_STATUS_") }

  /// Microseconds UTC as `2026-11-21 10:19:20`; empty when unset.
  static func time(_ value: JSONValue?) -> String {
    guard let microseconds = value?.integer, microseconds > 0 else { return "" }
    var seconds = time_t(microseconds / 1_000_000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    var buffer = [CChar](repeating: 0, count: 32)
    let count = strftime(&buffer, buffer.count, "%Y-%m-%d %H:%M:%S", &parts)
    return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// A duration in the unit that reads best.
  static func duration(microseconds: Int) -> String {
    switch microseconds {
    case ..<1000: "\(microseconds) µs"
    case ..<1_000_000: "\(Double(microseconds / 10) / 100) ms"
    default: "\(Double(microseconds / 10_000) / 100) s"
    }
  }

  static func duration(seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e12 else { return "" }
    return duration(microseconds: Int(seconds * 1e6))
  }

  /// Bytes in binary units.
  static func bytes(_ value: Int) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
    var amount = Double(value)
    var unit = 0
    while amount >= 1024, unit + 1 < units.count {
      amount /= 1024
      unit += 1
    }
    return unit == 0 ? "\(value) B" : "\((amount * 10).rounded() / 10) \(units[unit])"
  }

  /// `done/total`; empty when unknown.
  static func progress(_ job: JSONValue) -> String {
    guard let total = job["shots_total"]?.unsigned, total > 0 else { return "" }
    return "\(job["shots_done"]?.unsigned ?? 0)/\(total)"
  }

  /// When a waiting job should start or end: about then, and between what; empty when unknown.
  /// - Parameter what: `start` or `end`.
  static func forecast(_ job: JSONValue, _ what: String) -> String {
    let about = time(job["estimated_\(what)_at"])
    let (low, high) = (
      time(job["estimated_\(what)_p10_at"]), time(job["estimated_\(what)_p90_at"])
    )
    guard !about.isEmpty, !low.isEmpty, !high.isEmpty else { return about }
    return "\(about) (\(low) to \(high))"
  }

  /// The fields of a job for people.
  static func job(_ job: JSONValue) -> String {
    let phases = job["phases"]
    let tags = (job["tags"]?.elements ?? []).compactMap(\.string).joined(separator: ", ")
    let notices = (job["notices"]?.elements ?? []).compactMap(\.string).joined(separator: "; ")
    let annotations = pairs(job["annotations"]).map { "\($0.key)=\($0.value)" }
    return Table.fields([
      ("job", job["job_id"]?.string ?? ""), ("name", job["name"]?.string ?? ""),
      ("status", status(job)), ("reason", job["reason"]?.string ?? ""),
      ("device", job["device"]?.string ?? ""), ("lane", job["lane"]?.string ?? ""),
      ("priority", job["priority"]?.integer.map { $0 == 0 ? "" : "\($0)" } ?? ""),
      ("shots", progress(job)), ("queue position", job["queue_position"]?.string ?? ""),
      ("should start", forecast(job, "start")), ("should end", forecast(job, "end")),
      ("submitted", time(job["submitted_at"])), ("started", time(phases?["started_at"])),
      ("finished", time(phases?["finished_at"])), ("attempt", job["attempt"]?.string ?? ""),
      (
        "device time",
        (phases?["device_microseconds"]?.integer).map { duration(microseconds: $0) } ?? ""
      ),
      (
        job["results_removed"]?.isTrue == true ? "results expired" : "results expire",
        time(job["results_expire_at"])
      ),
      ("result", job["is_archived_copy"]?.isTrue == true ? "archived copy" : ""),
      ("seed", job["seed"]?.string ?? ""), ("tags", tags),
      ("annotations", annotations.joined(separator: ", ")), ("notices", notices),
      ("replay of", job["replay_of"]?.string ?? ""),
      ("resubmit of", job["resubmit_of"]?.string ?? ""), ("batch", job["batch_id"]?.string ?? ""),
      ("idempotency key", job["idempotency_key"]?.string ?? ""),
      ("error", job["error"]?["name"]?.string ?? ""),
      ("", job["error"]?["message"]?.string ?? ""),
    ])
  }

  /// Pairs of an object, or of a list of {key, value} as in `proto/`.
  static func pairs(_ json: JSONValue?) -> [(key: String, value: String)] {
    let members = (json?.members ?? []).map { (key: $0.key, value: $0.value.string ?? "") }
    let list = (json?.elements ?? []).map {
      (key: $0["key"]?.string ?? "", value: $0["value"]?.string ?? "")
    }
    return members + list
  }
}

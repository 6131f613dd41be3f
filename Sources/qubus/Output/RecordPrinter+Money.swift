internal import QubusClient

extension RecordPrinter {
  static let prices = RecordPrinter(
    "prices",
    [.init("device"), number("per_job"), number("per_shot"), number("per_device_second")])

  static let dedications = RecordPrinter(
    "dedications",
    [
      .init("device"),
      .init("tenant") { $0["tenant"]?.string.map { $0.isEmpty ? "everybody" : $0 } ?? "everybody" },
    ])

  static let entitlements = RecordPrinter(
    "entitlements",
    [
      number("number"), .init("project") { place($0) },
      .init("kind") { $0["period_seconds"]?.integer ?? 0 > 0 ? "subscription" : "grant" },
      number("amount"), number("balance"),
      .init("expires_at") { Summary.time($0["expires_at"]) },
      .init("ends_at") { Summary.time($0["ends_at"]) },
    ])

  static let credits = RecordPrinter(
    "credits",
    [
      .init("project") { place($0) },
      .init("credit") {
        $0["is_prepaid"]?.isTrue == true ? $0["credit"]?.string ?? "0" : "pays later"
      },
      number("owed"), number("held"),
    ])

  static let budgets = RecordPrinter(
    "budgets",
    [
      .init("project") { place($0) }, .init("class") { $0["experiment_class"]?.string ?? "" },
      .init("period"), .init("soft_cap"), .init("hard_cap"), number("used"),
      .init("resets_at") { Summary.time($0["resets_at"]) },
      .init("alert") { $0["is_past_soft_cap"]?.isTrue == true ? "past its soft cap" : "" },
    ])

  private static func number(_ name: String) -> Column {
    Column(name) { $0[name]?.string ?? "0" }
  }

  private static func place(_ record: JSONValue) -> String {
    "\(record["tenant"]?.string ?? "")/\(record["project"]?.string ?? "")"
  }
}

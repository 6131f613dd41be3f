/// Comma-separated values (RFC 4180, with line feeds).
enum CSV {
  static func line(_ cells: [String]) -> String {
    cells.map(quote).joined(separator: ",")
  }

  private static func quote(_ cell: String) -> String {
    guard cell.contains(where: { ",\"\n\r".contains($0) }) else { return cell }
    return "\""
      + cell.split(separator: "\"", omittingEmptySubsequences: false)
      .joined(separator: "\"\"") + "\""
  }
}

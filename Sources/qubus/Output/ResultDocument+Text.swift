internal import QubusClient

extension ResultDocument {
  /// Rows that a table of outcomes shows; -o json and csv show all.
  private static let rowsShown = 32

  /// Prints the result.
  /// - Throws: `SilentExit` when the job did not succeed and this is only what it had.
  func finish(_ format: OutputFormat) throws {
    try print(format)
    let exit = ExitStatus(status)
    if exit != .success {
      Console.error("qubus: the job was \(status.name); this is what it had.")
      throw SilentExit(status: exit)
    }
  }

  private func print(_ format: OutputFormat) throws(ClientError) {
    switch format {
    case .json: Console.print(try json(), format: .json)
    case .jsonl: Console.print(try json(), format: .jsonl)
    case .csv: Console.print(try csv())
    case .table: Console.print(try table())
    }
  }

  /// One table of the first kind there is: counts, expectation values, probabilities, amplitudes.
  func csv() throws(ClientError) -> String {
    if pubs.contains(where: { hasCounts(pub: $0) }) {
      var lines = ["pub,row,outcome,count"]
      for pub in pubs where hasCounts(pub: pub) {
        for row in 0..<rowCount(pub: pub) {
          for (bits, count) in try result.sortedCounts(pub: pub, row: row) {
            lines.append(CSV.line(["\(pub)", "\(row)", bits, "\(count)"]))
          }
        }
      }
      return lines.joined(separator: "\n")
    }
    for name in ["expectation_values", "probabilities", "statevector"] {
      let isComplex = name == "statevector"
      var lines = [isComplex ? "pub,index,real,imaginary" : "pub,index,value"]
      for pub in pubs {
        guard let doubles = array(name, pub: pub)?.doubles else { continue }
        let width = isComplex ? 2 : 1
        for index in 0..<doubles.count / width {
          let numbers = doubles[index * width..<(index + 1) * width].map { "\($0)" }
          lines.append(CSV.line(["\(pub)", "\(index)"] + numbers))
        }
      }
      if lines.count > 1 { return lines.joined(separator: "\n") }
    }
    return "pub,row,outcome,count"
  }

  func table() throws(ClientError) -> String {
    let deviceTime =
      (job["phases"]?["device_microseconds"]?.integer)
      .map { ", \(Summary.duration(microseconds: $0)) on the device" } ?? ""
    var blocks = [
      Table.fields([
        ("job", jobID), ("name", job["name"]?.string ?? ""),
        ("status", status.name + (result.isPartial ? " (partial result)" : "")),
        ("device", (provenance["device"]?.string ?? "") + deviceTime),
        ("seed", provenance["seed"]?.string ?? ""),
        ("hash", manifest["execution_hash"]?.string ?? ""),
      ])
    ]
    for notice in job["notices"]?.elements ?? [] { blocks.append("note: \(notice.string ?? "")") }
    for pub in pubs {
      for row in 0..<rowCount(pub: pub) where hasCounts(pub: pub) {
        if rowCount(pub: pub) > 1 || pubs.count > 1 { blocks.append("pub \(pub), row \(row)") }
        blocks.append(try countsTable(pub: pub, row: row))
      }
      for name in ["expectation_values", "probabilities", "statevector"] {
        if let array = array(name, pub: pub) { blocks.append(numbersTable(array)) }
      }
    }
    return blocks.joined(separator: "\n\n")
  }

  private func countsTable(pub: Int, row: Int) throws(ClientError) -> String {
    let counts = try result.sortedCounts(pub: pub, row: row)
    let total = max(1, counts.reduce(0) { $0 + $1.count })
    let most = max(1, counts.map(\.count).max() ?? 1)
    var table = Table([("outcome", .left), ("count", .right), ("share", .right), ("", .left)])
    // The most frequent when there are too many; otherwise all, by outcome.
    let tooMany = counts.count > Self.rowsShown
    let shown =
      tooMany ? Array(counts.sorted { $0.count > $1.count }.prefix(Self.rowsShown)) : counts
    for (bits, count) in shown {
      let tenths = (Double(count) / Double(total) * 1000).rounded() / 10
      let bar = String(repeating: "█", count: Int(count * 24 / most))
      table.append([bits, "\(count)", "\(tenths) %", bar])
    }
    let rest = tooMany ? "\n… \(counts.count - shown.count) further outcomes; -o csv shows all" : ""
    return table.text + rest
  }

  private func numbersTable(_ array: JobResult.Array) -> String {
    let doubles = array.doubles
    let isComplex = array.type == .complex128
    let width = isComplex ? 2 : 1
    let count = doubles.count / width
    var table = Table(
      [("index", .right), (array.name, .right)] + (isComplex ? [("imaginary", .right)] : []))
    for index in 0..<min(count, Self.rowsShown) {
      table.append(
        ["\(index)"] + doubles[index * width..<(index + 1) * width].map { "\($0)" })
    }
    let rest =
      count > Self.rowsShown ? "\n… \(count - Self.rowsShown) further; -o csv shows all" : ""
    return table.text + rest
  }
}

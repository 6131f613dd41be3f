internal import QubusClient

/// A result as the JSON object that `run` and `result` print; docs/cli.md is its schema.
struct ResultDocument {
  let result: JobResult
  let manifest: JSONValue
  let job: JSONValue
  let provenance: JSONValue
  private let arrays: [JobResult.Array]

  init(_ result: JobResult) throws(ClientError) {
    self.result = result
    manifest = try result.manifest
    job = try result.job
    provenance = try result.provenance
    arrays = try result.arrays
  }

  var jobID: String { manifest["job_id"]?.string ?? job["job_id"]?.string ?? "" }
  var status: JobStatus { JobStatus(name: Summary.status(job)) ?? .unknown(0) }

  /// Publication units that have results, in order.
  var pubs: [Int] {
    let summaries = (manifest["pubs"]?.elements ?? []).map { $0["pub"]?.integer ?? 0 }
    return Array(Set(summaries + arrays.map(\.pub))).sorted()
  }

  /// Broadcast shape of a pub's rows.
  func shape(pub: Int) -> [Int] {
    (summary(pub: pub)?["shape"]?.elements ?? []).compactMap(\.integer)
  }

  func rowCount(pub: Int) -> Int { shape(pub: pub).reduce(1, *) }

  func bitCount(pub: Int) -> Int { summary(pub: pub)?["bit_count"]?.integer ?? 0 }

  func hasCounts(pub: Int) -> Bool {
    arrays.contains { $0.pub == pub && $0.name == "counts.values" }
  }

  func array(_ name: String, pub: Int) -> JobResult.Array? {
    arrays.first { $0.pub == pub && $0.name == name }
  }

  private func summary(pub: Int) -> JSONValue? {
    manifest["pubs"]?.elements.first { ($0["pub"]?.integer ?? 0) == pub }
  }

  /// The whole document. One pub's results stand at the top; several in the list `pubs`.
  func json() throws(ClientError) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("job_id", .text(jobID)), .init("status", .text(status.name)),
      .init("is_partial", .bool(result.isPartial)),
    ]
    if let name = job["name"]?.string, !name.isEmpty { members.append(.init("name", .text(name))) }
    members.append(.init("device", provenance["device"] ?? .null))
    members.append(.init("seed", provenance["seed"] ?? .null))
    let pubs = pubs
    if pubs.count > 1 {
      var list: [JSONValue] = []
      for pub in pubs {
        list.append(.object([.init("pub", .integer(pub))] + (try self.members(pub: pub))))
      }
      members.append(.init("pubs", .array(list)))
    } else {
      members += try self.members(pub: pubs.first ?? 0)
    }
    let notices = job["notices"] ?? .array([])
    members.append(.init("notices", notices))
    members.append(.init("execution_hash", manifest["execution_hash"] ?? .null))
    members.append(.init("provenance", provenance))
    return Document.versioned(members)
  }

  private func members(pub: Int) throws(ClientError) -> [JSONValue.Member] {
    let shape = shape(pub: pub)
    var members: [JSONValue.Member] = [.init("shape", .array(shape.map { .integer($0) }))]
    if let shots = summary(pub: pub)?["shots"] { members.append(.init("shots", shots)) }
    if hasCounts(pub: pub) {
      var rows: [JSONValue] = []
      for row in 0..<rowCount(pub: pub) {
        rows.append(
          .object(
            try result.sortedCounts(pub: pub, row: row).map {
              JSONValue.Member($0.bits, .integer($0.count))
            }))
      }
      members.append(.init("counts", shape.isEmpty ? rows.first ?? .object([]) : .array(rows)))
    }
    if let memory = array("memory", pub: pub) {
      members.append(.init("memory", memoryRows(memory, pub: pub)))
    }
    for name in ["probabilities", "statevector", "expectation_values"] {
      if let array = array(name, pub: pub) { members.append(.init(name, nested(array))) }
    }
    return members
  }

  /// Outcomes in order of shots, a list for each row of a sweep.
  private func memoryRows(_ memory: JobResult.Array, pub: Int) -> JSONValue {
    let outcomes = Self.outcomes(memory, bitCount: bitCount(pub: pub)).map { JSONValue.text($0) }
    let rows = rowCount(pub: pub)
    guard !shape(pub: pub).isEmpty, rows > 0 else { return .array(outcomes) }
    let length = outcomes.count / rows
    return .array((0..<rows).map { .array(Array(outcomes[$0 * length..<($0 + 1) * length])) })
  }

  /// Shots are stored in (bits + 7) / 8 bytes each, lowest bit first.
  static func outcomes(_ memory: JobResult.Array, bitCount: Int) -> [String] {
    let width = max(1, (bitCount + 7) / 8)
    return stride(from: 0, to: memory.bytes.count - width + 1, by: width).map { start in
      var characters = [UInt8](repeating: UInt8(ascii: "0"), count: bitCount)
      for bit in 0..<bitCount where memory.bytes[start + bit / 8] >> UInt8(bit % 8) & 1 == 1 {
        characters[bitCount - 1 - bit] = UInt8(ascii: "1")
      }
      return String(decoding: characters, as: UTF8.self)
    }
  }

  /// An array as nested lists of its shape; complex numbers as [re, im].
  private func nested(_ array: JobResult.Array) -> JSONValue {
    let doubles = array.doubles
    var values: [JSONValue]
    if array.type == .complex128 {
      values = (0..<doubles.count / 2).map {
        .array([.real(doubles[2 * $0]), .real(doubles[2 * $0 + 1])])
      }
    } else {
      values = doubles.map { .real($0) }
    }
    for length in array.shape.dropFirst().reversed() where length > 0 {
      values = stride(from: 0, to: values.count, by: length).map {
        .array(Array(values[$0..<min($0 + length, values.count)]))
      }
    }
    return array.shape.isEmpty ? values.first ?? .null : .array(values)
  }
}

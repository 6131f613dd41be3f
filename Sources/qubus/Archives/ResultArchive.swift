internal import CQubusProto
internal import QubusClient
internal import QubusCore

/// A job in one file: a bundle, as `Result.save_bundle` of the Python package writes it and
/// `qubus.load_bundle` reads it, with the job's events and the circumstances of the archive
/// besides.
/// `docs/operations.md` lists the files.
struct ResultArchive {
  private static let format = "qubus.bundle"
  private static let version = 1
  private static let indexName = "bundle.json"

  private let files: [ZipFile.Member]
  let manifest: JSONValue

  var jobID: String { manifest["job_id"]?.string ?? "" }
  var executionHash: String { manifest["execution_hash"]?.string ?? "" }

  /// - Parameters:
  ///   - answer: of ArchiveJob.
  ///   - events: as JSON, one each; nil: they have expired.
  init(
    _ answer: JSONValue, _ result: JobResult, events: [String]?, destination: String
  ) throws(ClientError) {
    let programs = (answer["programs"]?.elements ?? []).map {
      Hexadecimal.bytes($0.string ?? "") ?? []
    }
    let provenance = answer["provenance"] ?? .null
    manifest = answer["manifest"] ?? .null
    let circumstances = JSONValue.object([
      .init("archived_at", answer["archived_at"] ?? .null),
      .init("archived_by", answer["archived_by"] ?? .null),
      .init("destination", .text(destination)), .init("has_events", .bool(events != nil)),
    ])
    var files: [(String, [UInt8])] = [
      ("archive.json", Self.bytes(circumstances)),
      ("job.json", Self.bytes(answer["job"] ?? .null)),
      ("manifest.json", Self.bytes(manifest)), ("provenance.json", Self.bytes(provenance)),
      ("request.json", Self.bytes(Self.request(provenance, programs.count))),
      ("events.jsonl", Array((events ?? []).map { $0 + "\n" }.joined().utf8)),
    ]
    for (number, program) in programs.enumerated() {
      files.append(("program/\(number).qasm", program))
    }
    for array in try result.arrays {
      files.append(("arrays/\(array.pub)/\(array.name).npy", NumPyArray.encode(array)))
    }
    self.files = files.map { ZipFile.Member(name: $0.0, bytes: $0.1) }
  }

  /// The submission as Python's bundles have it; parameters are those of the provenance.
  private static func request(_ provenance: JSONValue, _ count: Int) -> JSONValue {
    let shots = provenance["shots"]?.elements ?? []
    let pubs = (0..<count).map { number -> JSONValue in
      var members: [JSONValue.Member] = [
        .init("shots", number < shots.count ? shots[number] : .null),
        .init("program", .text("program/\(number).qasm")),
      ]
      if number == 0 {
        members.append(
          .init("parameters_of_all_pubs", provenance["parameters"] ?? .array([])))
      }
      return .object(members)
    }
    return .object([
      .init("pubs", .array(pubs)), .init("seed", provenance["seed"] ?? .integer(0)),
      .init("options", .object([])),
    ])
  }

  private static func bytes(_ json: JSONValue) -> [UInt8] { Array(json.indented.utf8) }

  // MARK: The file

  /// - Returns: bytes written.
  func write(to path: String) throws(UsageFailure) -> Int {
    let hashes = files.map { ($0.name, Self.sha256($0.bytes)) }.sorted { $0.0 < $1.0 }
    let index = JSONValue.object([
      .init("format", .text(Self.format)), .init("version", .integer(Self.version)),
      .init("job_id", .text(jobID)),
      .init("files", .object(hashes.map { .init($0.0, .text($0.1)) })),
      .init("digest", .text(Self.digest(hashes))),
    ])
    let first = ZipFile.Member(name: Self.indexName, bytes: Self.bytes(index))
    let bytes = try ZipFile([first] + files).encoded()
    try FileBytes.write(bytes, to: path)
    return bytes.count
  }

  /// Reads an archive and checks every hash in it.
  /// - Throws: `UsageFailure` for a file that cannot be read, `archive_damaged`.
  init(path: String) throws {
    let zip = try ZipFile(parsing: try FileBytes.read(path), name: path)
    func damaged(_ what: String) -> ClientError { .archiveDamaged("\(path) \(what)") }
    var contents: [String: [UInt8]] = [:]
    for member in zip.members {
      guard contents.updateValue(member.bytes, forKey: member.name) == nil else {
        throw damaged("holds \(member.name) twice")
      }
    }
    guard let text = contents.removeValue(forKey: Self.indexName),
      let index = try? JSONValue(parsing: String(decoding: text, as: UTF8.self)),
      index["format"]?.string == Self.format
    else { throw damaged("has no index: it is no archive of a job") }
    guard index["version"]?.integer == Self.version else {
      throw UsageFailure(
        .dataError,
        "\(path) has version \(index["version"]?.string ?? "?"); this program reads \(Self.version)"
      )
    }
    let hashes = (index["files"]?.members ?? []).map { ($0.key, $0.value.string ?? "") }
      .sorted { $0.0 < $1.0 }
    guard index["digest"]?.string == Self.digest(hashes) else {
      throw damaged("has an index that was changed")
    }
    guard hashes.map({ $0.0 }) == contents.keys.sorted() else {
      throw damaged("lacks files that its index names, or holds others")
    }
    for (name, hash) in hashes where Self.sha256(contents[name] ?? []) != hash {
      throw damaged("was changed: \(name) does not match its SHA-256")
    }
    let manifestText = String(decoding: contents["manifest.json"] ?? [], as: UTF8.self)
    guard let manifest = try? JSONValue(parsing: manifestText) else {
      throw damaged("has no readable manifest")
    }
    self.manifest = manifest
    files = contents.map { ZipFile.Member(name: $0.key, bytes: $0.value) }
  }

  /// The bytes of an item of the manifest.
  /// - Throws: `archive_damaged` when they are not there.
  func data(of item: JSONValue) throws(ClientError) -> [UInt8] {
    let name = "arrays/\(item["pub"]?.integer ?? 0)/\(item["name"]?.string ?? "").npy"
    guard let file = files.first(where: { $0.name == name }), let data = NumPyArray.data(file.bytes)
    else { throw .archiveDamaged("the archive of job \(jobID) has no readable \(name)") }
    return data
  }

  // MARK: Hashes

  private static func sha256(_ bytes: [UInt8]) -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    bytes.withUnsafeBytes { qubus_sha256_digest($0.baseAddress, $0.count, &digest) }
    return Hexadecimal.text(digest)
  }

  /// Over the hashes, as Python's `json.dumps(files, sort_keys=True)` writes them.
  private static func digest(_ hashes: [(String, String)]) -> String {
    let text = hashes.map { "\"\($0.0)\": \"\($0.1)\"" }.joined(separator: ", ")
    return sha256(Array("{\(text)}".utf8))
  }
}

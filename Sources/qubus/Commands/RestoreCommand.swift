internal import ArgumentParser
internal import QubusClient
internal import QubusCore

struct RestoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Bring expired results back from archives.",
    discussion: """
      The service compares every byte with the hashes that it kept. The result is kept as long as \
      a new one; the job shows that it is an archived copy. Harmless when repeated.
      """)

  @Argument(help: ArgumentHelp("Files that 'qubus archive' wrote.", valueName: "file"))
  var files: [String]

  @OptionGroup var change: ChangeOptions

  func run() throws {
    let format = change.admin.output.format
    try Failure.reporting(format) {
      let client = try change.admin.connection.connect()
      var restored: [JSONValue] = []
      for path in files {
        let archive = try ResultArchive(path: path)
        let wasThere = try restore(archive, client)
        restored.append(
          .object([
            .init("job_id", .text(archive.jobID)), .init("file", .text(path)),
            .init("outcome", .text(wasThere ? "was_there" : "restored")),
          ]))
      }
      RecordPrinter.restored.print(restored, format)
    }
  }

  /// - Returns: true when the result had not gone.
  private func restore(_ archive: ResultArchive, _ client: Client) throws(ClientError) -> Bool {
    for (item, entry) in (archive.manifest["items"]?.elements ?? []).enumerated() {
      let data = try archive.data(of: entry)
      for (number, chunk) in (entry["chunks"]?.elements ?? []).enumerated() {
        let answer = try client.call(
          "RestoreJob",
          .object([
            .init("job_id", .text(archive.jobID)),
            .init("execution_hash", .text(archive.executionHash)),
            .init("item", .integer(item)), .init("chunk", .integer(number)),
            .init("data", .text(Hexadecimal.text(try Self.cut(data, chunk, archive)))),
            .init("reason", .text(change.reason ?? "")),
          ]))
        if answer["was_there"]?.isTrue == true { return true }
        // Chunks of an earlier attempt may have been there.
        if answer["chunks_missing"]?.integer == 0 { return false }
      }
    }
    throw .archiveDamaged("the archive of job \(archive.jobID) holds only a part of its result")
  }

  private static func cut(
    _ data: [UInt8], _ chunk: JSONValue, _ archive: ResultArchive
  ) throws(ClientError) -> ArraySlice<UInt8> {
    guard let offset = chunk["offset"]?.integer, let count = chunk["bytes"]?.integer,
      offset >= 0, count >= 0, offset <= data.count, count <= data.count - offset
    else {
      throw .archiveDamaged("the archive of job \(archive.jobID) does not fit its manifest")
    }
    return data[offset..<offset + count]
  }
}

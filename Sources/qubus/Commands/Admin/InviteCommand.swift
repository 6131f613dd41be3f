internal import ArgumentParser
internal import Glibc
internal import QubusClient

struct InviteCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "invite", abstract: "Let a principal add a key of its own, once.",
    discussion: """
      Writes a key file to be handed to the person, who adds a key of their own with it: \
      'qubus keygen my.key', then 'qubus admin keys add PUBLIC --key-file FILE'. The secret is \
      told only now.
      """)

  @OptionGroup var principal: PrincipalArgument

  @Option(
    name: [.short, .long],
    help: ArgumentHelp("New key file, for its owner only; else it is printed.", valueName: "file"))
  var file: String?

  @Option(help: ArgumentHelp("Valid so long. Default: 7.", valueName: "days"))
  var days: Double?

  @OptionGroup var change: ChangeOptions

  func run() throws {
    // Before the invitation exists, so that none is lost to a file that cannot be written.
    let descriptor = try file.map { try Self.create($0) }
    do {
      try change.perform(
        "CreateInvitation",
        [principal.member, .init("valid_seconds", .real((days ?? 0) * 86_400))]
      ) { try show($0, descriptor) }
    } catch {
      if let file { unlink(file) }
      throw error
    }
  }

  private func show(_ answer: JSONValue, _ descriptor: Int32?) throws {
    let key = answer["key"]
    let secret = answer["secret_key"]?.string ?? ""
    var shown = answer
    if let descriptor {
      let text =
        "# qubus client key\npublic = \"\(key?["key"]?.string ?? "")\"\nsecret = \"\(secret)\"\n"
      Console.write(text, to: descriptor)
      guard fsync(descriptor) == 0, close(descriptor) == 0 else {
        throw UsageFailure(.inputOutput, "\(file ?? "") cannot be written")
      }
      shown = .object(
        answer.members.filter { $0.key != "secret_key" }.map { .init($0.key, $0.value) })
    }
    switch change.admin.output.format {
    case .json, .jsonl:
      Console.print(Document.versioned(shown), format: change.admin.output.format)
    case .csv:
      Console.print("principal,key,secret_key,server_key,expires_at")
      Console.print(
        CSV.line([
          principal.principal, key?["key"]?.string ?? "", descriptor == nil ? secret : "",
          answer["server_key"]?.string ?? "", key?["expires_at"]?.string ?? "",
        ]))
    case .table:
      Console.print(
        Table.fields([
          ("principal", principal.principal), ("key", key?["key"]?.string ?? ""),
          ("secret", descriptor == nil ? secret : "in \(file ?? "")"),
          ("server key", answer["server_key"]?.string ?? ""),
          ("expires", Summary.time(key?["expires_at"])),
        ]))
    }
  }

  private static func create(_ path: String) throws -> Int32 {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw UsageFailure(.inputOutput, "\(path): \(String(cString: strerror(errno)))")
    }
    return descriptor
  }
}

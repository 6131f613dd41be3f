internal import ArgumentParser
internal import QubusClient

struct KeygenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keygen", abstract: "Make a key pair for encrypted endpoints; needs no daemon.",
    discussion: """
      Writes the pair to a new file that only its owner may read, for --key-file or \
      QUBUS_KEY_FILE, and prints the public key, for whoever adds it to the server. An existing \
      file is never overwritten.
      """)

  @Argument(help: ArgumentHelp("File to write.", valueName: "file"))
  var path: String

  func run() throws { Console.print(try Credentials.makeKey(at: path)) }
}

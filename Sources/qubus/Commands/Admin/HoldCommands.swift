internal import ArgumentParser
internal import QubusClient

struct HoldCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hold",
    abstract: "Keep somebody's waiting job from its start until an operator releases it.",
    discussion: """
      Whoever owns it can cancel it, and cannot end the hold. Its time to live and its deadline go \
      on. A job that runs cannot be held.
      """)

  @OptionGroup var job: JobArgument
  @OptionGroup var change: PauseOptions

  func run() throws { try change.perform("HoldJob", job) }
}

struct ReleaseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "release", abstract: "Let a held job wait its turn again.")

  @OptionGroup var job: JobArgument
  @OptionGroup var change: PauseOptions

  func run() throws { try change.perform("ReleaseJob", job) }
}

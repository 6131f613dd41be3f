internal import ArgumentParser

struct CompletionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "completion", abstract: "Print a completion script for a shell.",
    discussion: """
      bash: qubus completion bash > ~/.local/share/bash-completion/completions/qubus
      zsh: qubus completion zsh > a folder of $fpath, as _qubus
      fish: qubus completion fish > ~/.config/fish/completions/qubus.fish
      """)

  enum Shell: String, ExpressibleByArgument, CaseIterable {
    case bash, zsh, fish

    var shell: CompletionShell {
      switch self {
      case .bash: .bash
      case .zsh: .zsh
      case .fish: .fish
      }
    }
  }

  @Argument(help: "Shell to complete for.")
  var shell: Shell

  func run() throws { Console.print(Qubus.completionScript(for: shell.shell)) }
}

internal import Glibc
internal import QubusClient

/// One line on standard error that tells how a long job is doing; only on a terminal.
final class ProgressLine {
  private let isShown = isatty(STDERR_FILENO) == 1
  private var length = 0

  init() {}

  func show(jobID: String, event: JSONValue) {
    guard isShown else { return }
    var text = "\(jobID)  \(Summary.status(event))"
    if let position = event["queue_position"]?.string { text += "  position \(position)" }
    if let progress = event["progress"], let total = progress["shots_total"]?.unsigned, total > 0 {
      let done = progress["shots_done"]?.unsigned ?? 0
      text += "  \(done * 100 / total) %  \(done)/\(total) shots"
    }
    if let part = event["progress"]?["evolution"]?.real, part > 0 {
      text += "  evolution \(Int(100 * part)) %"
    }
    replace(with: Table.printable(text))
  }

  func clear() {
    guard isShown, length > 0 else { return }
    replace(with: "")
    Console.write("\r", to: STDERR_FILENO)
  }

  private func replace(with text: String) {
    let padding = String(repeating: " ", count: max(0, length - text.count))
    Console.write("\r" + text + padding, to: STDERR_FILENO)
    length = text.count
  }
}

internal import Foundation

// The engine's own in-process entry point: JSON lines in, JSON lines out, until standard input
// ends. `scripts/bench engine` drives it beside the peers' workers.
let session = BenchmarkSession()
let encoder = JSONEncoder()
while let line = readLine() {
  var answer: Answer
  do {
    answer = try session.answer(JSONDecoder().decode(Request.self, from: Data(line.utf8)))
  } catch {
    answer = Answer(error: "\(error)")
  }
  let text = try encoder.encode(answer)
  FileHandle.standardOutput.write(text + Data("\n".utf8))
}

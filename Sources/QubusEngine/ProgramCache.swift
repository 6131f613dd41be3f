internal import Crypto
internal import DequeModule
internal import QubusCircuit
package import QubusCompiler
package import QubusCore

/// Compiled programs by the SHA-256 of their source, the least recently used dropped first.
///
/// Programs are immutable values, so jobs of different owners may share one. That a program was
/// seen before can show in the time a submit takes; nothing else of it can.
package final class ProgramCache: Sendable {
  private struct Entry {
    var program: CompiledProgram
    var bytes: Int
    var tick: UInt64
  }
  private struct State {
    var entries: [[UInt8]: Entry] = [:]
    /// Uses in order; only the entry's last one counts.
    var uses: Deque<(key: [UInt8], tick: UInt64)> = []
    var tick: UInt64 = 0
    var bytes = 0
  }
  private let limit: Int
  private let state = Monitor(State())
  private let compile: @Sendable ([UInt8]) throws(QubusError) -> CompiledProgram

  package init(
    bytes limit: Int, compile: @escaping @Sendable ([UInt8]) throws(QubusError) -> CompiledProgram
  ) {
    self.limit = limit
    self.compile = compile
  }

  package var count: Int { state.withLock { $0.entries.count } }
  package var bytes: Int { state.withLock { $0.bytes } }

  /// The program when it is at hand, without compiling.
  package func cached(_ source: [UInt8]) -> CompiledProgram? {
    let key = Array(SHA256.hash(data: source))
    return state.withLock { Self.use(key, &$0) }
  }

  /// The compiled program. Two threads may compile the same one; both results are equal.
  package func program(_ source: [UInt8]) throws(QubusError) -> CompiledProgram {
    let key = Array(SHA256.hash(data: source))
    if let program = state.withLock({ Self.use(key, &$0) }) { return program }
    let program = try compile(source)
    // An operation of the circuit and its flat form take about 200 bytes.
    let bytes = source.count + 200 * program.circuit.operations.count + 1024
    state.withLock { state in
      guard bytes <= limit, state.entries[key] == nil else { return }
      state.entries[key] = Entry(program: program, bytes: bytes, tick: 0)
      state.bytes += bytes
      _ = Self.use(key, &state)
      Self.shrink(&state, to: limit)
    }
    return program
  }

  private static func use(_ key: [UInt8], _ state: inout State) -> CompiledProgram? {
    guard let index = state.entries.index(forKey: key) else { return nil }
    state.tick += 1
    state.entries.values[index].tick = state.tick
    state.uses.append((key, state.tick))
    if state.uses.count > 4 * state.entries.count + 64 {
      let entries = state.entries
      state.uses.removeAll { entries[$0.key]?.tick != $0.tick }
    }
    return state.entries.values[index].program
  }

  private static func shrink(_ state: inout State, to limit: Int) {
    while state.bytes > limit, let use = state.uses.popFirst() {
      guard let entry = state.entries[use.key], entry.tick == use.tick else { continue }
      state.bytes -= entry.bytes
      state.entries[use.key] = nil
    }
  }
}

import Dispatch
import Foundation
import QubusCore
import QubusJobs
import Testing

@testable import QubusStoreSQLite

@Suite("WriteQueue")
struct WriteQueueTests {
  private static func flush() -> WriteTask { WriteTask(.flush { _ in }) }

  /// Plays the writer until the queue refuses; counts what it took.
  private func drained(_ queue: WriteQueue) -> Lock<Int> {
    let count = Lock(0)
    let thread = Thread {
      while true {
        let group = queue.take(16)
        count.withLock { $0 += group.count }
        guard group.isEmpty else { continue }
        if queue.wait(milliseconds: nil) == .finished { break }
      }
      done.signal()
    }
    thread.start()
    return count
  }
  private let done = DispatchSemaphore(value: 0)

  @Test("announcements, kept or not, lose no command and leave no signal over")
  func announced() {
    let queue = WriteQueue(capacity: 1 << 20, byteCapacity: 1 << 20)
    let count = drained(queue)
    var generator = SystemRandomNumberGenerator()
    let rounds = 4000
    var sent = 0
    for _ in 0..<rounds {
      let choice = generator.next() % 4
      if choice != 0 { queue.expect() }
      if choice == 3 { queue.expect() }
      if choice != 1 {
        #expect(queue.enqueue(Self.flush()) == nil)
        sent += 1
      }
    }
    queue.refuse(QubusError(.serverShuttingDown, "over"))
    queue.expect()
    done.wait()
    #expect(count.withLock { $0 } == sent)
  }

  @Test("a writer that has worked looks for notes by itself once, then sleeps until one wakes it")
  func notes() {
    let queue = WriteQueue(capacity: 16, byteCapacity: 1 << 20)
    #expect(queue.enqueue(Self.flush()) == nil)
    #expect(queue.take(16).count == 1)
    #expect(queue.wait(milliseconds: nil, noteMilliseconds: 1) == .idle)
    let thread = Thread {
      while queue.takeNotes().isEmpty {
        _ = queue.wait(milliseconds: nil, noteMilliseconds: 1)
      }
      done.signal()
    }
    thread.start()
    #expect(queue.note(Self.flush()) == nil)
    done.wait()
  }
}

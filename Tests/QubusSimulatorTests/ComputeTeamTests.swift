import Foundation
import QubusCore
import QubusSimulator
import Synchronization
import Testing

@Suite("Compute team")
struct ComputeTeamTests {
  @Test("every task runs once, region after region", arguments: [1, 2, 4])
  func everyTaskOnce(threads: Int) {
    let team = ComputeTeam(threadCount: threads)
    for tasks in [0, 1, 2, 3, 17, 1000] {
      for _ in 0..<200 {
        let runs = Lock([Int](repeating: 0, count: tasks))
        team.run(tasks: tasks) { task in runs.withLock { $0[task] += 1 } }
        #expect(runs.withLock { $0.allSatisfy { $0 == 1 } })
      }
    }
  }

  @Test("every part runs once; a thread helps others after its own share", arguments: [1, 2, 4])
  func ownShareFirst(threads: Int) {
    let team = ComputeTeam(threadCount: threads)
    for parts in [0, 1, 2, 3, 7, 16, 1000] {
      for _ in 0..<200 {
        let taken = Lock([[Int]](repeating: [], count: threads))
        team.run(parts: parts) { part, lane in taken.withLock { $0[lane].append(part) } }
        let lanes = taken.withLock { $0 }
        #expect(lanes.joined().sorted() == Array(0..<parts))
        for (lane, own) in lanes.enumerated() where parts > 1 {
          let share = parts * lane / threads..<parts * (lane + 1) / threads
          let shared = own.firstIndex { !share.contains($0) } ?? own.count
          #expect(own[shared...].allSatisfy { !share.contains($0) })
        }
      }
    }
  }

  @Test("writes of the tasks are seen after the region, without locks of their own")
  func visibility() {
    let team = ComputeTeam(threadCount: 3)
    var values = [Int](repeating: 0, count: 64)
    for round in 1...5000 {
      values.withUnsafeMutableBufferPointer { buffer in
        nonisolated(unsafe) let buffer = buffer
        team.run(tasks: 64) { buffer[$0] += $0 + round }
      }
    }
    let expected = (0..<64).map { 5000 * $0 + 5000 * 5001 / 2 }
    #expect(values == expected)
  }

  @Test("a region inside a region, and callers at the same time, still run every task")
  func nestedAndShared() {
    let team = ComputeTeam(threadCount: 2)
    let total = Atomic<Int>(0)
    team.run(tasks: 8) { _ in
      team.run(tasks: 8) { _ in total.add(1, ordering: .relaxed) }
    }
    #expect(total.load(ordering: .relaxed) == 64)
    DispatchQueue.concurrentPerform(iterations: 4) { _ in
      for _ in 0..<500 { team.run(tasks: 10) { _ in total.add(1, ordering: .relaxed) } }
    }
    #expect(total.load(ordering: .relaxed) == 64 + 4 * 500 * 10)
  }

  @Test("a team that slept, or never worked, shuts down cleanly")
  func shutDown() {
    for index in 0..<100 {
      let team = ComputeTeam(threadCount: 4, niceness: index % 2 == 0 ? 0 : 19)
      if index % 3 == 0 {
        let count = Atomic<Int>(0)
        team.run(tasks: 4) { _ in count.add(1, ordering: .relaxed) }
        #expect(count.load(ordering: .relaxed) == 4)
      }
    }
  }

  @Test("the niceness is the team's own, the caller keeps its")
  func niceness() {
    let before = getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)
    let team = ComputeTeam(threadCount: 2, niceness: 19)
    let seen = Lock<Set<Int32>>([])
    let both = Atomic<Int>(0)
    // Two tasks that wait for each other can only end on two threads.
    team.run(tasks: 2) { _ in
      seen.withLock { _ = $0.insert(getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)) }
      both.add(1, ordering: .sequentiallyConsistent)
      while both.load(ordering: .sequentiallyConsistent) < 2 { sched_yield() }
    }
    #expect(seen.withLock { $0 } == [before, 19])
    #expect(getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0) == before)
  }
}

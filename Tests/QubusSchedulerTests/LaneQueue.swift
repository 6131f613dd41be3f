import DequeModule
import QubusCore

@testable import QubusScheduler

/// One lane's jobs in order of arrival, with O(log n) positions and removal anywhere.
///
/// Every job has a ticket; a Fenwick tree over tickets counts the jobs, and their predicted time,
/// before a ticket. Removed jobs leave a hole that goes when the head reaches it or at the next
/// rebuild, whose cost is spread over as many insertions.
/// - Source: Fenwick 1994, "A new data structure for cumulative frequency tables".
struct LaneQueue: Sendable {
  private var entries: Deque<SchedulerJob?> = []
  /// Ticket of `entries[0]`; the tree's index 1 is ticket 0.
  private var firstTicket = 0
  private var tickets: [Identifier: Int] = [:]
  private var counts: [Int32] = []
  private var work: [Microseconds] = []

  var count: Int { tickets.count }
  /// Entries never begin with a hole.
  var first: SchedulerJob? { entries.first ?? nil }

  func job(_ id: Identifier) -> SchedulerJob? {
    tickets[id].flatMap { entries[$0 - firstTicket] }
  }

  mutating func append(_ job: SchedulerJob) {
    precondition(tickets[job.id] == nil, "a job waits once")
    if firstTicket + entries.count >= counts.count { rebuild() }
    let ticket = firstTicket + entries.count
    entries.append(job)
    tickets[job.id] = ticket
    add(at: ticket, count: 1, work: job.predictedMicroseconds)
  }

  mutating func remove(_ id: Identifier) -> SchedulerJob? {
    guard let ticket = tickets.removeValue(forKey: id),
      let job = entries[ticket - firstTicket]
    else { return nil }
    entries[ticket - firstTicket] = nil
    add(at: ticket, count: -1, work: -job.predictedMicroseconds)
    while let entry = entries.first, entry == nil {
      entries.removeFirst()
      firstTicket += 1
    }
    return job
  }

  /// Jobs before this one and their predicted time.
  func ahead(of id: Identifier) -> (count: Int, microseconds: Microseconds)? {
    guard let ticket = tickets[id] else { return nil }
    var count = 0
    var microseconds: Microseconds = 0
    var node = ticket
    while node > 0 {
      count += Int(counts[node - 1])
      microseconds += work[node - 1]
      node &= node - 1
    }
    return (count, microseconds)
  }

  /// Predicted time of all.
  private(set) var totalMicroseconds: Microseconds = 0

  private mutating func add(at ticket: Int, count: Int32, work amount: Microseconds) {
    totalMicroseconds += amount
    var node = ticket + 1
    while node <= counts.count {
      counts[node - 1] += count
      work[node - 1] += amount
      node += node & -node
    }
  }

  /// Gives new tickets from 0 without holes, and room for as many again.
  private mutating func rebuild() {
    let jobs = entries.compactMap { $0 }
    let capacity = max(1024, 2 * (jobs.count + 1))
    entries = Deque(jobs)
    firstTicket = 0
    totalMicroseconds = 0
    counts = Array(repeating: 0, count: capacity)
    work = Array(repeating: 0, count: capacity)
    for (ticket, job) in jobs.enumerated() {
      tickets[job.id] = ticket
      counts[ticket] += 1
      work[ticket] += job.predictedMicroseconds
      totalMicroseconds += job.predictedMicroseconds
    }
    for node in 1...capacity {
      let parent = node + (node & -node)
      if parent <= capacity {
        counts[parent - 1] += counts[node - 1]
        work[parent - 1] += work[node - 1]
      }
    }
  }
}

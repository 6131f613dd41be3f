internal import QubusCore

/// All waiting jobs in one array, and their places in search trees in another; places of jobs that
/// left are used again.
struct JobSlab: Sendable {
  /// No job, no node.
  static let none = UInt32.max

  private(set) var slots: [QueuedJob] = []
  var links: [JobLink] = []
  private var freeSlots: [UInt32] = []
  private var places: [Identifier: UInt32] = [:]

  var count: Int { places.count }
  func place(of id: Identifier) -> UInt32? { places[id] }

  subscript(_ place: UInt32) -> QueuedJob {
    _read { yield slots[Int(place)] }
    _modify { yield &slots[Int(place)] }
  }

  mutating func add(_ job: QueuedJob) -> UInt32 {
    precondition(places[job.id] == nil, "a job waits once")
    let place: UInt32
    if let free = freeSlots.popLast() {
      place = free
      slots[Int(free)] = job
      links[Int(free)] = JobLink(job, dueAt: 0)
    } else {
      place = UInt32(slots.count)
      slots.append(job)
      links.append(JobLink(job, dueAt: 0))
    }
    places[job.id] = place
    return place
  }

  /// Forgets a job that hangs in no tree.
  mutating func drop(_ place: UInt32) {
    places[slots[Int(place)].id] = nil
    freeSlots.append(place)
    guard places.isEmpty else { return }
    // Room for a burst is given back once it is over.
    let isSmall = slots.count < 4096
    freeSlots.removeAll(keepingCapacity: isSmall)
    slots.removeAll(keepingCapacity: isSmall)
    links.removeAll(keepingCapacity: isSmall)
    if !isSmall { places = [:] }
  }
}

internal import QubusCore

/// All waiting jobs in one array; places of jobs that left are used again.
struct JobSlab: Sendable {
  /// No job, no node.
  static let none = UInt32.max

  private(set) var slots: [QueuedJob] = []
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
    } else {
      place = UInt32(slots.count)
      slots.append(job)
    }
    places[job.id] = place
    return place
  }

  /// Forgets a job that hangs in no tree.
  mutating func drop(_ place: UInt32) {
    places[slots[Int(place)].id] = nil
    freeSlots.append(place)
    if places.isEmpty {
      // Room for a burst is given back once it is over.
      freeSlots.removeAll(keepingCapacity: slots.count < 4096)
      slots.removeAll(keepingCapacity: slots.count < 4096)
    }
  }
}

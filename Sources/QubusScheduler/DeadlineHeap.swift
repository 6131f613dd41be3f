internal import HeapModule
internal import QubusCore

/// Times at which jobs must be looked at, earliest first. Entries of jobs that left stay until
/// their time or until they are the majority; the owner drops what no longer holds.
struct DeadlineHeap: Sendable {
  struct Entry: Sendable, Comparable {
    var time: Microseconds
    var id: Identifier
    var cause: StopCause

    static func < (a: Entry, b: Entry) -> Bool {
      if a.time != b.time { return a.time < b.time }
      return a.id != b.id ? a.id < b.id : a.cause.rawValue < b.cause.rawValue
    }
  }
  private var heap = Heap<Entry>()

  var next: Microseconds? { heap.min?.time }
  var count: Int { heap.count }

  mutating func insert(_ entry: Entry) { heap.insert(entry) }

  mutating func popDue(_ now: Microseconds) -> Entry? {
    guard let entry = heap.min, entry.time <= now else { return nil }
    return heap.removeMin()
  }

  mutating func keep(where holds: (Entry) -> Bool) {
    heap = Heap(heap.unordered.filter(holds))
  }
}

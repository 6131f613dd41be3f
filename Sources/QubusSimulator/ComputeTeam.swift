internal import CThreads
internal import Glibc
internal import QubusCore
internal import Synchronization

/// Threads that work on one region together (fork-join).
///
/// A region is a number of tasks; which thread takes which task is open, so a task writes only
/// what is its own and results do not depend on the team. The caller works too and never waits for
/// a thread that has not joined yet. A caller that finds the team busy runs its tasks alone.
///
/// A sequence of regions runs inside `activate`: then every thread has a processor of its own, and
/// between two regions waits on it without sleeping. Outside it a thread sleeps after a few
/// microseconds, so that an idle team costs nothing.
package final class ComputeTeam: Sendable {
  package let threadCount: Int
  private let region: Region
  private let threads: [pthread_t]

  /// - Parameters:
  ///   - threadCount: threads that work on a region, the caller included; 1 makes no threads.
  ///   - niceness: 0 … 19, set for the team's own threads (the caller keeps its own).
  package init(threadCount: Int, niceness: Int = 0) {
    precondition(threadCount >= 1)
    self.threadCount = threadCount
    let region = Region(workers: threadCount - 1, niceness: niceness)
    var threads: [pthread_t] = []
    for index in 0..<threadCount - 1 {
      if let thread = Self.start(Worker(region: region, index: index)) { threads.append(thread) }
    }
    self.region = region
    self.threads = threads
  }

  deinit {
    region.shutDown()
    for thread in threads { pthread_join(thread, nil) }
  }

  /// Runs `body`, whose regions follow each other closely.
  package func activate<T, Failure: Error>(
    _ body: () throws(Failure) -> T
  ) throws(Failure) -> T {
    if threads.isEmpty { return try body() }
    let pinned = region.activate()
    defer { region.deactivate(pinned) }
    return try body()
  }

  /// Runs `body(0) … body(tasks - 1)`, spread over the team; returns when all are done.
  package func run(tasks: Int, _ body: (Int) -> Void) {
    run(tasks: tasks) { task, _ in body(task) }
  }

  /// The same with the number of the thread that takes the task: 0 ..< `threadCount`, 0 being the
  /// caller. Two tasks never run at once under the same number.
  package func run(tasks: Int, _ body: (_ task: Int, _ lane: Int) -> Void) {
    run(tasks: tasks, shares: 1, body)
  }

  /// The same for parts of memory in order. Each thread begins with a share of its own, the same in
  /// every region, and so finds in its cache what it wrote there before: caches of processors that
  /// lie apart exchange data more slowly than one computes. Then it helps the others.
  package func run(parts: Int, _ body: (_ part: Int, _ lane: Int) -> Void) {
    run(tasks: parts, shares: threadCount, body)
  }

  private func run(tasks: Int, shares: Int, _ body: (_ task: Int, _ lane: Int) -> Void) {
    if tasks <= 1 || threads.isEmpty || !region.tryClaim() {
      for task in 0..<tasks { body(task, 0) }
      return
    }
    withoutActuallyEscaping(body) { region.run(tasks: tasks, shares: shares, $0) }
  }

  /// A machine that refuses another thread leaves a smaller team, which only costs time.
  private static func start(_ worker: Worker) -> pthread_t? {
    let context = Unmanaged.passRetained(worker)
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        Unmanaged<Worker>.fromOpaque(context).takeRetainedValue().main()
        return nil
      }, context.toOpaque())
    if status == 0 { return thread }
    context.release()
    return nil
  }
}

/// One thread's view of the team.
private final class Worker: Sendable {
  private let region: Region
  private let index: Int

  init(region: Region, index: Int) {
    self.region = region
    self.index = index
  }

  func main() { region.work(index) }
}

/// The region that a team is working on.
///
/// `@unchecked Sendable`: `body`, `tasks` and `shareCount` are written by the claiming caller while
/// `entry` is closed and nobody is inside, and read only by threads that entered after it was
/// opened; `ComputeTeamTests` runs this under the thread sanitizer.
private final class Region: @unchecked Sendable {
  private typealias CacheLine = (Int, Int, Int, Int, Int, Int, Int, Int)
  private let niceness: Int
  private let isClaimed = Atomic<Bool>(false)
  private let isShutDown = Atomic<Bool>(false)
  private let sleepers: [Sleeper]
  private let caller = Sleeper()
  /// Callers inside `activate`.
  private let activeCount = Atomic<Int>(0)
  private let processors: ProcessorSet
  /// Whether the threads are to stay on processors of their own.
  private let wantsPins = Atomic<Bool>(false)
  /// One team at a time: two would keep each other off the same processors. A background team has
  /// the idle policy and gives way on each of them, so that it counts apart.
  private static let foreground = Pins(), background = Pins()
  private final class Pins: Sendable {
    let areTaken = Atomic<Bool>(false)
  }
  private var isBackground: Bool { niceness >= ThreadPriority.background }
  private var pins: Pins { isBackground ? Self.background : Self.foreground }
  private let maySpin: Bool
  private var body: ((Int, Int) -> Void)?
  private var tasks = 0
  private var shareCount = 1
  private let shares: [Share]
  // What threads wait for and what they count tasks with lie apart: a write to one must not take
  // the other from a thread that reads it.
  private let apart0: CacheLine = (0, 0, 0, 0, 0, 0, 0, 0)
  /// Raised for every region, so that an idle thread sees that there is one.
  private let generation = Atomic<Int>(0)
  private let apart1: CacheLine = (0, 0, 0, 0, 0, 0, 0, 0)
  /// Twice the threads inside, plus 1 while the region is open.
  private let entry = Atomic<Int>(0)
  private let apart2: CacheLine = (0, 0, 0, 0, 0, 0, 0, 0)

  /// Tasks that one thread begins with.
  private final class Share: Sendable {
    private let before: CacheLine = (0, 0, 0, 0, 0, 0, 0, 0)
    let next = Atomic<Int>(0)
    private let behind: CacheLine = (0, 0, 0, 0, 0, 0, 0, 0)
  }

  init(workers: Int, niceness: Int) {
    self.niceness = niceness
    sleepers = (0..<workers).map { _ in Sleeper() }
    shares = (0...workers).map { _ in Share() }
    processors = ProcessorSet()
    // With fewer processors a spinning thread keeps away the one that it waits for.
    maySpin = processors.count > workers
  }

  /// How long a thread waits without sleeping.
  private var spinNanoseconds: Int {
    if !maySpin { return 0 }
    return activeCount.load(ordering: .relaxed) > 0 ? 2_000_000 : 10_000
  }

  /// - Returns: what `deactivate` gives back to the caller's thread.
  func activate() -> ProcessorSet? {
    guard activeCount.add(1, ordering: .relaxed).oldValue == 0, maySpin,
      pins.areTaken.compareExchange(expected: false, desired: true, ordering: .relaxed).exchanged
    else { return nil }
    let before = ProcessorSet()
    processors.pin(to: 0)
    wantsPins.store(true, ordering: .relaxed)
    return before
  }

  func deactivate(_ before: ProcessorSet?) {
    activeCount.subtract(1, ordering: .relaxed)
    guard let before else { return }
    wantsPins.store(false, ordering: .relaxed)
    before.restore()
    pins.areTaken.store(false, ordering: .relaxed)
  }

  func tryClaim() -> Bool {
    isClaimed.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
  }

  func run(tasks: Int, shares count: Int, _ body: @escaping (Int, Int) -> Void) {
    self.body = body
    self.tasks = tasks
    shareCount = count
    for share in 0..<count {
      shares[share].next.store(tasks * share / count, ordering: .relaxed)
    }
    entry.add(1, ordering: .sequentiallyConsistent)
    generation.add(1, ordering: .sequentiallyConsistent)
    for sleeper in sleepers { sleeper.wake() }
    takeTasks(lane: 0, body)
    if entry.subtract(1, ordering: .acquiringAndReleasing).newValue != 0 {
      caller.wait(spinNanoseconds: { spinNanoseconds }) {
        entry.load(ordering: .sequentiallyConsistent) == 0
      }
    }
    self.body = nil
    isClaimed.store(false, ordering: .releasing)
  }

  func work(_ index: Int) {
    ThreadPriority.set(niceness: Int32(niceness))
    var isPinned = false
    var seen = 0
    while true {
      sleepers[index].wait(spinNanoseconds: { spinNanoseconds }) {
        generation.load(ordering: .sequentiallyConsistent) != seen
          || isShutDown.load(ordering: .sequentiallyConsistent)
      }
      if isShutDown.load(ordering: .acquiring) { return }
      seen = generation.load(ordering: .acquiring)
      guard enter() else { continue }
      if wantsPins.load(ordering: .relaxed) != isPinned {
        isPinned.toggle()
        if isPinned { processors.pin(to: index + 1) } else { processors.restore() }
      }
      joinTasks(lane: index + 1)
      if entry.subtract(2, ordering: .sequentiallyConsistent).newValue == 0 { caller.wake() }
    }
  }

  func shutDown() {
    isShutDown.store(true, ordering: .sequentiallyConsistent)
    for sleeper in sleepers { sleeper.wake() }
  }

  /// Joins the region unless it is already closed.
  private func enter() -> Bool {
    var current = entry.load(ordering: .relaxed)
    while current & 1 == 1 {
      let (exchanged, original) = entry.weakCompareExchange(
        expected: current, desired: current + 2, ordering: .acquiring)
      if exchanged { return true }
      current = original
    }
    return false
  }

  /// Not inlined, so that this thread's hold on the closure ends before it leaves the region.
  @inline(never)
  private func joinTasks(lane: Int) {
    if let body { takeTasks(lane: lane, body) }
  }

  /// Takes the tasks of the thread's own share, then what is left of the others'.
  private func takeTasks(lane: Int, _ body: (Int, Int) -> Void) {
    let (tasks, count) = (tasks, shareCount)
    // The idle policy gives way to a thread that wakes, but not to one that waits already: when a
    // background thread has its turn among others it keeps it until the next tick of the clock.
    let givesWay = isBackground
    for step in 0..<count {
      let share = (lane + step) % count
      let end = tasks * (share + 1) / count
      while true {
        let task = shares[share].next.add(1, ordering: .relaxed).oldValue
        if task >= end { break }
        body(task, lane)
        if givesWay { sched_yield() }
      }
    }
  }
}

/// Where one thread waits: a short spin, then a semaphore (a futex on Linux).
private final class Sleeper: Sendable {
  private let isAsleep = Atomic<Bool>(false)
  private let semaphore = Semaphore()

  /// Returns when `isReady` holds; `wake` must follow whatever makes it true.
  /// - Parameter spinNanoseconds: asked again now and then, for it may end at any time.
  @inline(__always)
  func wait(spinNanoseconds: () -> Int, until isReady: () -> Bool) {
    if isReady() { return }
    if spinNanoseconds() > 0 {
      let start = Self.nanoseconds()
      repeat {
        for _ in 0..<128 {
          if isReady() { return }
          qubus_pause()
        }
      } while Self.nanoseconds() - start < spinNanoseconds()
    }
    while true {
      isAsleep.store(true, ordering: .sequentiallyConsistent)
      if isReady() {
        // A waker that saw the flag has posted or will post; take that post, or it wakes us later.
        if !isAsleep.exchange(false, ordering: .sequentiallyConsistent) { semaphore.wait() }
        return
      }
      semaphore.wait()
      if isReady() { return }
    }
  }

  func wake() {
    // Ordered after the write that it announces: both are sequentially consistent.
    if !isAsleep.load(ordering: .sequentiallyConsistent) { return }
    if isAsleep.exchange(false, ordering: .sequentiallyConsistent) { semaphore.post() }
  }

  private static func nanoseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }
}

/// A POSIX semaphore at a fixed address.
///
/// `@unchecked Sendable`: `sem_t` is made for use by several threads.
private final class Semaphore: @unchecked Sendable {
  private let handle: UnsafeMutablePointer<sem_t>

  init() {
    handle = .allocate(capacity: 1)
    sem_init(handle, 0, 0)
  }

  deinit {
    sem_destroy(handle)
    handle.deallocate()
  }

  func wait() { while sem_wait(handle) != 0 {} }
  func post() { sem_post(handle) }
}

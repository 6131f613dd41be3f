internal import CThreads
internal import Dispatch
internal import QubusCore
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// Keeps processors from halting while calls that wait for something follow one another closely: a
/// thread to wake on a halted processor starts some 10 µs later, and a submit wakes ten (decision
/// 0011). Calls that are answered at once need no keeper: their clients look before they sleep.
///
/// Its threads have the idle policy and spin until `window` after the last message: every ordinary
/// thread takes the processor from them at once. To others of the idle policy, the threads of batch
/// jobs among them, they yield between two looks at the clock. One lone message wakes nobody. Where
/// there are no more processors than keepers, each keeps to its own.
final class CoreKeeper: Sendable {
  private final class Seat: Sendable {
    let isAsleep = Atomic<Bool>(false)
    let wakeup = DispatchSemaphore(value: 0)
  }

  /// So many threads run between the message of a client and its answer at a time.
  static let seatLimit = 2

  /// Messages follow closely when no more windows than these lie between: a submit on a slow disk
  /// takes longer than one.
  private static let closeWindows: Microseconds = 4

  private let window: Microseconds
  private let clock: any Clock
  private let processors: ProcessorSet
  private let seats: [Seat]
  private let lastHeard = Atomic<Microseconds>(-1 << 60)
  private let mustEnd = Atomic<Bool>(false)
  private let threads: Lock<[pthread_t]>

  /// - Parameter window: microseconds; 0 keeps nothing awake.
  init(window: Microseconds, clock: any Clock) {
    self.window = window
    self.clock = clock
    processors = ProcessorSet()
    let count = window > 0 ? min(Self.seatLimit, max(1, processors.count)) : 0
    seats = (0..<count).map { _ in Seat() }
    threads = Lock([])
  }

  func start() {
    let started = seats.enumerated().compactMap { index, seat in
      ServerThread.start(name: "qubus-keeper") { [self] in
        if processors.count <= seats.count { processors.pin(to: index) }
        keep(seat)
      }
    }
    threads.withLock { $0 = started }
  }

  /// A message came at `now` whose answer has to wait. Allocates nothing; makes a system call only
  /// when a keeper sleeps.
  /// - Returns: whether it followed another closely, so that processors are kept awake.
  @discardableResult
  func heard(_ now: Microseconds) -> Bool {
    guard !seats.isEmpty else { return false }
    let before = lastHeard.exchange(now, ordering: .relaxed)
    guard now - before < Self.closeWindows * window else { return false }
    for seat in seats where seat.isAsleep.load(ordering: .relaxed) {
      if seat.isAsleep.exchange(false, ordering: .acquiringAndReleasing) { seat.wakeup.signal() }
    }
    return true
  }

  /// Keepers that spin, or are about to fall asleep.
  var awake: Int { seats.count { !$0.isAsleep.load(ordering: .sequentiallyConsistent) } }

  /// Ends the threads and waits for them; it is not started again.
  func close() {
    mustEnd.store(true, ordering: .sequentiallyConsistent)
    for seat in seats { seat.wakeup.signal() }
    let started = threads.withLock { threads in
      defer { threads = [] }
      return threads
    }
    for thread in started { pthread_join(thread, nil) }
  }

  private func keep(_ seat: Seat) {
    ThreadPriority.set(niceness: ThreadPriority.background)
    while !mustEnd.load(ordering: .sequentiallyConsistent) {
      spin()
      seat.isAsleep.store(true, ordering: .sequentiallyConsistent)
      seat.wakeup.wait()
    }
  }

  private func spin() {
    while !mustEnd.load(ordering: .relaxed),
      clock.monotonic() - lastHeard.load(ordering: .relaxed) < window
    {
      for _ in 0..<16 { qubus_pause() }
      sched_yield()
    }
  }
}

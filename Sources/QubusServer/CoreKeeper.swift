internal import CZeroMQ
internal import Dispatch
internal import QubusCore
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// Keeps processors from halting while messages follow one another closely: a thread to wake on a
/// halted processor starts some 10 µs later, and one round trip wakes six (decision 0011).
///
/// Its threads have the idle policy and spin until `window` after the last message: every ordinary
/// thread takes the processor from them at once. Threads of batch jobs have that policy too; a keeper
/// that finds it was displaced for long leaves the processor to them for a while. One lone message
/// wakes nobody.
final class CoreKeeper: Sendable {
  private final class Seat: Sendable {
    let isAsleep = Atomic<Bool>(false)
    let restsUntil = Atomic<Microseconds>(.min)
    let wakeup = DispatchSemaphore(value: 0)
  }

  /// So many threads run between the message of a client and its answer at a time.
  static let seatLimit = 2
  /// Only another thread of the idle policy displaces a keeper for this long.
  static let displacedMicroseconds: Microseconds = 1000
  static let restMicroseconds: Microseconds = 200_000

  private let window: Microseconds
  private let clock: any Clock
  private let seats: [Seat]
  private let lastHeard = Atomic<Microseconds>(-1 << 60)
  private let mustEnd = Atomic<Bool>(false)
  private let threads: Lock<[pthread_t]>

  /// - Parameter window: microseconds; 0 keeps nothing awake.
  init(window: Microseconds, clock: any Clock) {
    self.window = window
    self.clock = clock
    let count = window > 0 ? min(Self.seatLimit, sysconf(Int32(_SC_NPROCESSORS_ONLN))) : 0
    seats = (0..<count).map { _ in Seat() }
    threads = Lock([])
  }

  func start() {
    let started = seats.compactMap { seat in
      ServerThread.start(name: "qubus-keeper") { [self] in keep(seat) }
    }
    threads.withLock { $0 = started }
  }

  /// A message came at `now`. Allocates nothing; makes a system call only when a keeper sleeps.
  func heard(_ now: Microseconds) {
    guard !seats.isEmpty else { return }
    let before = lastHeard.exchange(now, ordering: .relaxed)
    guard now - before < window else { return }
    for seat in seats
    where seat.isAsleep.load(ordering: .relaxed) && now >= seat.restsUntil.load(ordering: .relaxed)
    {
      if seat.isAsleep.exchange(false, ordering: .acquiringAndReleasing) { seat.wakeup.signal() }
    }
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
      spin(seat)
      seat.isAsleep.store(true, ordering: .sequentiallyConsistent)
      seat.wakeup.wait()
    }
  }

  private func spin(_ seat: Seat) {
    var before = clock.monotonic()
    while !mustEnd.load(ordering: .relaxed) {
      for _ in 0..<16 { qubus_pause() }
      // A client that looks for its answer yields too, and must not wait for the window to end.
      sched_yield()
      let now = clock.monotonic()
      guard now - lastHeard.load(ordering: .relaxed) < window else { return }
      if now - before > Self.displacedMicroseconds {
        seat.restsUntil.store(now + Self.restMicroseconds, ordering: .relaxed)
        return
      }
      before = now
    }
  }
}

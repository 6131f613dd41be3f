import QubusCore
import Testing

@testable import QubusServer

/// Moves by hand.
private final class HandClock: Clock {
  private let time = Lock<Microseconds>(0)
  func monotonic() -> Microseconds { time.withLock { $0 } }
  func now() -> Microseconds { monotonic() }
  func move(to time: Microseconds) { self.time.withLock { $0 = time } }
}

@Suite("Processors kept awake", .timeLimit(.minutes(10)))
struct CoreKeeperTests {
  private let clock = HandClock()

  private func started(window: Microseconds) async -> CoreKeeper {
    let keeper = CoreKeeper(window: window, clock: clock)
    keeper.start()
    await reach(keeper, awake: 0)
    return keeper
  }

  private func reach(_ keeper: CoreKeeper, awake: Int) async {
    while keeper.awake != awake { await Task.yield() }
  }

  @Test("one lone message wakes nobody, a second one soon after it does, until the window is over")
  func window() async {
    let keeper = await started(window: 500)
    #expect(!keeper.heard(10_000))
    #expect(keeper.awake == 0)
    clock.move(to: 20_000)
    #expect(!keeper.heard(20_000))
    #expect(keeper.awake == 0)
    clock.move(to: 20_400)
    #expect(keeper.heard(20_400))
    #expect(keeper.awake > 0)
    clock.move(to: 20_899)
    #expect(keeper.awake > 0)
    clock.move(to: 20_900)
    await reach(keeper, awake: 0)
    keeper.close()
  }

  @Test("a window of 0 keeps nothing awake, and closing twice does no harm")
  func off() {
    let keeper = CoreKeeper(window: 0, clock: clock)
    keeper.start()
    #expect(!keeper.heard(1))
    #expect(!keeper.heard(1))
    #expect(keeper.awake == 0)
    keeper.close()
    keeper.close()
  }
}

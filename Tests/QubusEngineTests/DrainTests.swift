import QubusCore
import QubusJobs
import QubusScheduler
import QubusTenancy
import Testing

@testable import QubusEngine

@Suite("Drained devices") struct DrainTests {
  private static let root = Principal(tenant: "default", project: "default", name: "root")
  private static let drain = DeviceDrain(
    device: "sim.fake", by: root, reason: "a leak", since: 1_600_000_000_000_000)

  private static func on(_ device: String) -> JobSpec {
    EngineHarness.spec { $0.execution.device = device }
  }

  @Test("its jobs wait and tell who, why and since when; others run; it starts again at the end")
  func waits() async throws {
    let (fake, other) = (FakeDevice(), FakeDevice(name: "sim.other"))
    let drains = DeviceDrains()
    let harness = try EngineHarness(
      device: fake, clock: ManualClock(), drains: drains, moreDevices: [other])
    drains.apply([.drain(Self.drain)])
    let waiting = try await harness.submitted()
    let running = try await harness.submitted(Self.on("sim.other"))
    #expect(try await harness.finished(running).status == .succeeded)
    let record = try harness.engine.job(waiting, context: harness.context).record
    #expect(record.status == .queued && record.reason == "DEVICE_OFFLINE")
    let found = try harness.engine.explain(waiting, context: harness.context).constraints
    #expect(found.map(\.kind) == [.deviceOffline])
    #expect(found.map(\.detail) == ["default/default/root drained sim.fake: a leak"])
    #expect(found.map(\.since) == [Self.drain.since])
    let devices = harness.engine.devices(context: harness.context)
    #expect(devices.map(\.drain) == [Self.drain, nil])
    drains.apply([.endDrain(device: "sim.fake")])
    #expect(try await harness.finished(waiting).status == .succeeded)
    // Nothing of it was written: it is the device's, not the job's.
    #expect(try harness.events(waiting).filter { $0.kind == .queueMoved }.isEmpty)
    await harness.stop()
  }

  @Test("what runs there goes on, and what waits can be paused, canceled and expires")
  func running() async throws {
    let clock = ManualClock()
    let device = FakeDevice(permits: 0, seconds: 1)
    let drains = DeviceDrains()
    let harness = try EngineHarness(
      device: device, clock: clock, drains: drains, configure: { $0.computeThreads = 1 })
    let first = try await harness.submitted()
    await device.started(1)
    drains.apply([.drain(Self.drain)])
    let second = try await harness.submitted()
    let third = try await harness.submitted(EngineHarness.spec { $0.execution.ttlSeconds = 10 })
    device.permit(nil)
    #expect(try await harness.finished(first).status == .succeeded)
    #expect(try await harness.cancel(second).outcome == .beforeStart)
    clock.advance(microseconds: 11_000_000)
    harness.engine.clockMoved()
    #expect(try await harness.finished(third).status == .expired)
    #expect(device.state.withLock { $0.started } == 1)
    await harness.stop()
  }

  @Test("it is drained from the start of the next life of the service on")
  func restart() async throws {
    let store = FakeStore(clock: SystemClock())
    let codec = FakeCodec()
    let first = try EngineHarness(
      store: store, codec: codec, drains: DeviceDrains([Self.drain]))
    let job = try await first.submitted()
    await first.stop()
    let drains = DeviceDrains([Self.drain])
    let second = try EngineHarness(store: store, codec: codec, drains: drains)
    #expect(try second.constraintKinds(job) == [.deviceOffline])
    drains.apply([.endDrain(device: "sim.fake")])
    #expect(try await second.finished(job).status == .succeeded)
    await second.stop()
  }

  @Test("whoever watches a waiting job is told when its device is drained and when that ends")
  func watched() async throws {
    let device = FakeDevice(permits: 0, seconds: 1)
    let drains = DeviceDrains()
    let harness = try EngineHarness(
      device: device, clock: ManualClock(), drains: drains, configure: { $0.computeThreads = 1 })
    let first = try await harness.submitted()
    await device.started(1)
    let second = try await harness.submitted()
    let seen = Monitor<UInt64>(0)
    let observation = try harness.engine.observe(second, context: harness.context) { last, _ in
      seen.signal { $0 = max($0, last) }
    }
    let before = seen.withLock { $0 }
    drains.apply([.drain(Self.drain)])
    await onThread { seen.wait { $0 > before ? () : nil } }
    // A change of another device is no news.
    drains.apply([.drain(DeviceDrain(device: "qpu.x", by: Self.root, reason: "x", since: 1))])
    drains.apply([.endDrain(device: "sim.fake")])
    device.permit(nil)
    try await harness.finished(first)
    try await harness.finished(second)
    observation.end()
    let told = try harness.events(second).filter { !$0.body.details.isEmpty }
    #expect(told.map(\.kind) == [.queueMoved, .queueMoved])
    #expect(told.map(\.reason) == ["DEVICE_OFFLINE", ""])
    #expect(
      told.compactMap { $0.body.details["message"] } == [
        "default/default/root drained sim.fake: a leak", "the drain of sim.fake has ended",
      ])
    await harness.stop()
  }

  @Test("no session is opened on it; what is open goes on")
  func sessions() async throws {
    let drains = DeviceDrains()
    let harness = try SessionHarness(drains: drains)
    _ = try await harness.opened()
    drains.apply([.drain(Self.drain)])
    let refusal = await harness.refusal(SessionHarness.spec())
    #expect(refusal?.code == .deviceOffline && refusal?.message.contains("a leak") == true)
    drains.apply([.endDrain(device: "sim.fake")])
    _ = try await harness.opened()
    await harness.stop()
  }

  @Test("operators alone drain, with a reason and evidence; what is wrong changes nothing")
  func administration() throws {
    typealias H = TenancyHarness
    let harness = try H()
    let told = Monitor<[String: DeviceDrain]>([:])
    harness.engine.drains.watch { drains in told.signal { $0 = drains } }
    for principal in H.everyone where principal != H.root {
      let refusal = try harness.refusal(.drainDevice("sim.a", reason: "x"), as: principal)
      #expect(refusal?.code == .permissionDenied, "\(principal.name)")
    }
    let cases: [(TenancyOrder, ErrorCode, String?)] = [
      (.drainDevice("sim.none", reason: "x"), .unknownDevice, "device"),
      (.drainDevice("", reason: "x"), .unknownDevice, "device"),
      (.drainDevice("sim.a", reason: ""), .missingField, "reason"),
      (.endDrain(device: "sim.a"), .illegalTransition, nil),
      (.endDrain(device: "sim.none"), .unknownDevice, "device"),
    ]
    for (order, code, field) in cases {
      let refusal = try harness.refusal(order, as: H.root)
      #expect(refusal?.code == code && refusal?.violations.first?.field == field, "\(order)")
    }
    #expect(told.withLock { $0.isEmpty } && harness.store.snapshot().drains.isEmpty)
    let since = harness.clock.now()
    let drain = DeviceDrain(device: "sim.a", by: H.root, reason: "a leak", since: since)
    let answer = try harness.perform(
      .drainDevice("sim.a", reason: "a leak"), as: H.root, reason: "a leak")
    #expect(answer == .drain(device: "sim.a", drain))
    #expect(told.withLock { $0 } == ["sim.a": drain])
    #expect(harness.store.snapshot().drains == [drain])
    #expect(harness.lastEntry?.method == "DrainDevice" && harness.lastEntry?.reason == "a leak")
    #expect(harness.lastEntry?.subject == "device sim.a: drained")
    #expect(harness.lastEntry?.action == "devices.manage")
    // Again: another reason, the same beginning.
    harness.clock.advance(microseconds: 9)
    try harness.perform(.drainDevice("sim.a", reason: "two leaks"), as: H.root)
    let again = told.withLock { $0["sim.a"] }
    #expect(again?.since == since && again?.reason == "two leaks")
    try harness.perform(.endDrain(device: "sim.a"), as: H.root)
    #expect(told.withLock { $0.isEmpty } && harness.store.snapshot().drains.isEmpty)
    #expect(harness.lastEntry?.subject == "device sim.a: not drained any more")
  }
}

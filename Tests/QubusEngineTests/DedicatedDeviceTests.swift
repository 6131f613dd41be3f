import QubusCore
import QubusDevices
import QubusJobs
import QubusTenancy
import Testing

@testable import QubusEngine

@Suite("Devices of one tenant alone")
struct DedicatedDeviceTests {
  private static let lab = context(Principal(tenant: "lab", project: "qc", name: "ada"))
  private static let root = CallContext(
    identity: Identity(
      principal: Principal(tenant: "default", project: "default", name: "root"),
      credential: .loopback, grants: [Grant(.operator, Scope())]),
    clientVersion: "test/1", traceID: "trace")

  private static func context(_ principal: Principal) -> CallContext {
    CallContext(identity: .submitter(principal), clientVersion: "test/1", traceID: "trace")
  }

  private static func book(_ dedicated: [String: String]) -> LedgerBook {
    var snapshot = LedgerSnapshot()
    snapshot.dedicated = dedicated
    return LedgerBook(snapshot)
  }

  private static func on(_ device: String, family: String = "") -> JobSpec {
    EngineHarness.spec {
      $0.execution.device = device
      $0.execution.deviceFamily = family
    }
  }

  private func refusal(
    _ harness: EngineHarness, _ spec: JobSpec, as context: CallContext? = nil
  ) async -> QubusError? {
    await #expect(throws: QubusError.self) { try await harness.submit(spec, as: context) }
  }

  @Test("for other tenants it is as if it were not there: listed, named, by family, as the default")
  func others() async throws {
    let harness = try EngineHarness(
      device: FakeDevice(name: "sim.lab"), ledger: Self.book(["sim.lab": "lab"]),
      moreDevices: [FakeDevice(name: "sim.fake")])
    let engine = harness.engine
    #expect(engine.devices(context: harness.context).map(\.name) == ["sim.fake"])
    #expect(engine.devices(context: Self.lab).map(\.name) == ["sim.lab", "sim.fake"])
    #expect(engine.devices(context: Self.root).map(\.tenant) == ["lab", nil])
    let named = await refusal(harness, Self.on("sim.lab"))
    let absent = await refusal(harness, Self.on("sim.none"))
    #expect(named?.code == .unknownDevice && absent?.code == .unknownDevice)
    #expect(named?.violations.map(\.limit) == absent?.violations.map(\.limit))
    #expect(named?.violations.first?.limit == "one of: sim.fake")
    let byFamily = try await harness.submit(Self.on("", family: "sim"))
    #expect(byFamily.job.record.device == "sim.fake")
    #expect(try await harness.submit(EngineHarness.spec()).job.record.device == "sim.fake")
    let own = try await harness.submit(Self.on("sim.lab"), as: Self.lab)
    #expect(own.job.record.device == "sim.lab")
    await harness.stop()
  }

  @Test("a plan and a session are refused it too; without any device left, that is said")
  func plansAndSessions() async throws {
    let book = Self.book(["sim.fake": "lab"])
    let harness = try EngineHarness(ledger: book)
    let plan = await withCheckedContinuation { continuation in
      harness.engine.plan(EngineHarness.spec(), context: harness.context) {
        continuation.resume(returning: $0)
      }
    }
    let error = #expect(throws: QubusError.self) { try plan.get() }
    #expect(error?.code == .unknownDevice)
    #expect(error?.message.contains("no device") == true)
    await harness.stop()
    let sessions = try SessionHarness(ledger: book)
    #expect(await sessions.refusal(SessionHarness.spec())?.code == .unknownDevice)
    book.apply([.ledger(.dedicate(device: "sim.fake", tenant: nil))])
    _ = try await sessions.opened()
    await sessions.stop()
  }

  @Test("what was accepted or opened before goes on, also after a restart")
  func before() async throws {
    let book = Self.book([:])
    let first = try EngineHarness(ledger: book)
    first.engine.drain(true)
    let id = try await first.submitted()
    book.apply([.ledger(.dedicate(device: "sim.fake", tenant: "lab"))])
    #expect(await refusal(first, EngineHarness.spec())?.code == .unknownDevice)
    await first.stop()
    let second = try EngineHarness(store: first.store, codec: first.codec, ledger: book)
    #expect(try await second.finished(id).status == .succeeded)
    await second.stop()
    let free = Self.book([:])
    let sessions = try SessionHarness(ledger: free)
    let session = try await sessions.opened()
    free.apply([.ledger(.dedicate(device: "sim.fake", tenant: "lab"))])
    #expect(sessions.step(session, 1).answer != nil)
    await sessions.stop()
  }
}

import QubusCore
import QubusJobs
import Testing

@testable import QubusStoreSQLite

@Suite("What principals used, in a store")
struct UsedServiceTests {
  private static func use(_ name: String, _ seconds: Double) -> UsedService {
    UsedService(
      principal: Principal(tenant: "lab", project: "qc", name: name), deviceSeconds: seconds,
      at: 1_700_000_000_000_000)
  }

  private static func keep(_ use: [UsedService], in store: SQLiteJobStore) async throws {
    try await withCheckedThrowingContinuation {
      (continuation: CheckedContinuation<Void, any Error>) in
      store.keep(use) { continuation.resume(with: $0) }
    }
  }

  @Test("the last note replaces the one before and is there after a restart")
  func replaces() async throws {
    let directory = TemporaryDirectory()
    let store = try SQLiteJobStore(
      directory: directory.path, codec: TestCodec(), clock: ManualClock())
    #expect(try store.usedService().isEmpty)
    try await Self.keep([Self.use("ada", 1.5), Self.use("bob", 1e9)], in: store)
    try await Self.keep([Self.use("été", 0.001), Self.use("ada", 2.25)], in: store)
    try store.close()
    let again = try SQLiteJobStore(
      directory: directory.path, codec: TestCodec(), clock: ManualClock())
    #expect(try Set(again.usedService()) == [Self.use("été", 0.001), Self.use("ada", 2.25)])
    try await Self.keep([], in: again)
    #expect(try again.usedService().isEmpty)
    try again.close()
    await #expect(throws: QubusError.self) { try await Self.keep([], in: again) }
  }
}

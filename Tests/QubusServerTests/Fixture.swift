import Foundation
import Logging
import QubusCore
import QubusServer
import QubusTenancy

/// A server on an ipc socket in a directory of its own.
final class Fixture {
  let directory: String
  let service: FakeService
  let sessions = FakeSessionService()
  let tenancy = FakeTenancyService()
  let admission: TestAdmission
  let server: Server

  init(
    _ service: FakeService = FakeService(), endpoints: [String] = [],
    admission: TestAdmission = TestAdmission(), quotas: QuotaKeeper = QuotaKeeper(),
    _ change: (inout ServerConfiguration) -> Void = { _ in }
  ) throws {
    directory = Self.makeDirectory()
    self.service = service
    self.admission = admission
    var configuration = ServerConfiguration(
      endpoints: ["ipc://\(directory)/run/q.sock"] + endpoints)
    configuration.keyDirectory = directory
    change(&configuration)
    server = try Server(
      configuration: configuration, service: service, sessions: sessions, tenancy: tenancy,
      admission: admission, quotas: quotas, clock: SystemClock(), logger: Self.quiet)
  }

  deinit {
    server.close()
    try? FileManager.default.removeItem(atPath: directory)
  }

  var endpoint: String { server.endpoints[0] }
  var path: String { String(endpoint.dropFirst(6)) }
  func client() -> TestClient { TestClient(endpoint) }

  /// A client of the curve endpoint, the last one that was named.
  func client(_ keys: CurveKeys, routingID: [UInt8]? = nil) -> TestClient {
    TestClient(curveEndpoint, routingID: routingID, curve: (keys, serverKey))
  }

  var curveEndpoint: String { server.endpoints[server.endpoints.count - 1] }
  var serverKey: String { server.publicKeys[curveEndpoint] ?? "" }

  static func makeDirectory() -> String {
    let path = "/tmp/qs-\(UInt32.random(in: 0 ... .max))"
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
  }

  static let quiet: Logger = {
    var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    logger.logLevel = .critical
    return logger
  }()
}

import Foundation
import Testing

@testable import QubusClient

@Suite struct ClientTests {
  static let endpoint = ProcessInfo.processInfo.environment["QUBUS_TEST_ENDPOINT"]

  @Test("a client without a daemon says where it looked and what to do")
  func noDaemon() {
    #expect {
      try Client(endpoint: "ipc:///nonexistent/qubus.sock", connectTimeout: .milliseconds(10))
    } throws: { error in
      let error = error as? ClientError
      return error?.name == "connection_failed" && error?.code == 9001
        && error?.message.contains("/nonexistent/qubus.sock") == true
        && error?.action.isEmpty == false && error?.errorClass == "client"
    }
  }

  @Test("a made key is read back, and a second one never replaces it")
  func keys() throws {
    let path = FileManager.default.temporaryDirectory.path + "/qubus-key-\(UUID())"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let key = try Credentials.makeKey(at: path)
    #expect(key.utf8.count == 40)
    #expect { try Credentials.makeKey(at: path) } throws: {
      ($0 as? ClientError)?.name == "invalid_argument"
    }
    // The key file is right; its own public key is not the server's.
    #expect {
      try Client(
        endpoint: "curve://127.0.0.1:9", credentials: Credentials(serverKey: key, keyFile: path))
    } throws: { error in
      let error = error as? ClientError
      return error?.name == "invalid_key"
        && error?.message.contains("this client's own public key") == true
    }
  }

  @Test("keys for an endpoint that is not encrypted are refused")
  func unusedKeys() {
    #expect {
      try Client(
        endpoint: "ipc:///nonexistent/qubus.sock", credentials: Credentials(keyFile: "/k"))
    } throws: {
      ($0 as? ClientError)?.message.contains("options.key_file is given") == true
    }
  }

  @Test("credentials are described without what they are")
  func discretion() {
    let credentials = Credentials(secretKey: "hidden", token: "hidden")
    var dumped = ""
    dump(credentials, to: &dumped)
    #expect("\(credentials)" == "Credentials(secretKey, token)")
    #expect(!dumped.contains("hidden") && !String(reflecting: credentials).contains("hidden"))
  }

  @Test("a text with a NUL is refused instead of being cut")
  func nul() {
    var spec = JobSpec(program: "")
    spec.name = "a\0b"
    #expect { try SpecificationMemory().specification(spec) } throws: {
      ($0 as? ClientError)?.name == "nul_in_string"
    }
  }

  @Test("a NUL in the id of a job to wait for is refused by its list")
  func dependencies() {
    for (path, field) in [(\JobSpec.after, "after:"), (\JobSpec.afterOK, "after_ok:")] {
      var spec = JobSpec(program: "")
      spec[keyPath: path] = ["018f3f5e-7c1a-7000-8000-0123456789ab", "c\0"]
      #expect { try SpecificationMemory().specification(spec) } throws: {
        ($0 as? ClientError)?.message.hasPrefix(field) == true
      }
    }
  }

  @Test("a shape that does not fit its values is refused")
  func shape() {
    var pub = Pub(program: "")
    pub.parameters = [Parameter(name: "theta", shape: [2, 2], values: [1, 2, 3])]
    #expect { try SpecificationMemory().specification(JobSpec(pubs: [pub])) } throws: {
      ($0 as? ClientError)?.message.contains("needs 4 values, 3 given") == true
    }
  }

  @Test("time-outs are rounded up, so that waiting never becomes looking")
  func timeouts() {
    #expect(Duration.microseconds(1).milliseconds == 1)
    #expect(Duration.seconds(2).milliseconds == 2000)
    #expect((nil as Duration?).timeoutMilliseconds == -1)
    #expect((.seconds(-5) as Duration?).timeoutMilliseconds == 0)
  }

  @Test("handles are shared by many threads", .enabled(if: endpoint != nil))
  func stress() async throws {
    let client = try Client(endpoint: Self.endpoint)
    let program = "OPENQASM 3.0; include \"stdgates.inc\"; qubit q; bit c; h q; c = measure q;"
    try await withThrowingTaskGroup(of: UInt64.self) { group in
      for seed in 0..<32 {
        group.addTask {
          let spec = JobSpec(program: program, shots: 100, seed: UInt64(seed))
          let job = try await client.submit(spec)
          let result = try await job.result(timeout: .seconds(60))
          for event in try job.events() { _ = try event.get() }
          return try result.counts().values.reduce(0, +)
        }
      }
      for try await shots in group { #expect(shots == 100) }
    }
  }
}

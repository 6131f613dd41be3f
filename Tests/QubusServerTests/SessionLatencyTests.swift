import CZeroMQ
import Foundation
import Glibc
import QubusCore
import QubusJobs
import QubusTenancy
import QubusWire
import Testing

@testable import QubusServer

/// A DEALER that sends frames made before and drops what it receives.
private final class RawClient {
  private let context = zmq_ctx_new()
  private let socket: UnsafeMutableRawPointer?
  private var frame = zmq_msg_t()

  init(_ endpoint: String, curve: (CurveKeys, server: String)? = nil) {
    socket = zmq_socket(context, ZMQ_DEALER)
    if let (keys, server) = curve {
      zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server, 41)
      zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, keys.publicKey, 41)
      zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys.secretKey, 41)
    }
    var linger: Int32 = 0
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, 4)
    let isCurve = endpoint.hasPrefix("curve://")
    zmq_connect(socket, isCurve ? "tcp://" + endpoint.dropFirst(8) : endpoint)
    zmq_msg_init(&frame)
  }

  deinit {
    zmq_msg_close(&frame)
    zmq_close(socket)
    zmq_ctx_term(context)
  }

  /// Microseconds of one round trip, and the frames of the answer.
  func exchange(_ frames: [[UInt8]]) -> (Double, Int) {
    let start = Self.now()
    for (index, frame) in frames.enumerated() {
      zmq_send(socket, frame, frame.count, index + 1 < frames.count ? ZMQ_SNDMORE : 0)
    }
    var item = zmq_pollitem_t(socket: socket, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0)
    guard zmq_poll(&item, 1, 5000) > 0 else { return (0, 0) }
    var count = 0
    repeat {
      zmq_msg_recv(&frame, socket, 0)
      count += 1
    } while zmq_msg_more(&frame) != 0
    return (Self.now() - start, count)
  }

  private static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
  }
}

/// The floor: a ROUTER that sends every message back, frame by frame, on a thread of its own.
private struct Echo {
  let endpoint: String

  init(_ directory: String) {
    let endpoint = "ipc://\(directory)/echo.sock"
    self.endpoint = endpoint
    let isBound = DispatchSemaphore(value: 0)
    let thread = Thread {
      let context = zmq_ctx_new()
      let router = zmq_socket(context, ZMQ_ROUTER)
      zmq_bind(router, endpoint)
      isBound.signal()
      var frame = zmq_msg_t()
      zmq_msg_init(&frame)
      var isOver = false
      while !isOver {
        var item = zmq_pollitem_t(socket: router, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0)
        guard zmq_poll(&item, 1, -1) > 0 else { continue }
        var hasMore = true
        while hasMore {
          zmq_msg_recv(&frame, router, 0)
          hasMore = zmq_msg_more(&frame) != 0
          isOver = zmq_msg_size(&frame) == 0
          zmq_send(router, zmq_msg_data(&frame), zmq_msg_size(&frame), hasMore ? ZMQ_SNDMORE : 0)
        }
      }
      zmq_msg_close(&frame)
      zmq_close(router)
      zmq_ctx_term(context)
    }
    thread.start()
    isBound.wait()
  }
}

@Suite("Server: latency of a step", .serialized)
struct SessionLatencyTests {
  /// 28 parameters and the energy, as the raw loop of `scripts/bench loop`; the budget itself is
  /// measured there. Prints the same frames through a bare echo beside it.
  @Test("a step's round trip over ipc stays far below a millisecond")
  func step() throws {
    let fixture = try Fixture()
    let id = fixture.sessions.add()
    let echo = Echo(fixture.directory)
    let (client, floor) = (RawClient(fixture.endpoint), RawClient(echo.endpoint))
    let numbers = [Double](repeating: 0.25, count: 28).withUnsafeBytes { [UInt8]($0) }
    let count = Int(ProcessInfo.processInfo.environment["QUBUS_STEP_ROUNDS"] ?? "") ?? 3000
    let messages = (1...UInt64(count)).map { sequence -> [[UInt8]] in
      var envelope = Envelope(.call, callID: sequence)
      envelope.method = "Step"
      envelope.timeoutMilliseconds = 5000
      envelope.attachments = [
        AttachmentDescriptor(dataType: .float64, shape: [1, 28], frame: numbers)
      ]
      return [envelope.encoded(), Bodies.step(id, sequence), numbers]
    }
    var steps: [Double] = []
    var echoes: [Double] = []
    // In turns, so that both see the same machine.
    for block in stride(from: 0, to: count, by: 500) {
      for message in messages[block..<min(count, block + 500)] {
        let (time, frames) = floor.exchange(message)
        #expect(frames == 3)
        echoes.append(time)
      }
      for message in messages[block..<min(count, block + 500)] {
        let (time, frames) = client.exchange(message)
        #expect(frames == 3)
        steps.append(time)
      }
    }
    _ = floor.exchange([[]])
    steps.sort()
    echoes.sort()
    let (p50, p99) = (count / 2, count * 99 / 100)
    print(
      "step over ipc: p50 \(steps[p50]) µs, p99 \(steps[p99]) µs; "
        + "bare echo of its frames: p50 \(echoes[p50]) µs, p99 \(echoes[p99]) µs")
    #expect(steps[p50] < 1000)
  }

  /// 25 µs is the budget of a step over curve on loopback above one over ipc, 2 of them for telling
  /// who calls and whether they may; `scripts/bench service` measures it on an idle machine.
  @Test("a step over curve, with and without a token, costs little more than over ipc")
  func curve() throws {
    let fixture = try Fixture(endpoints: ["tcp://127.0.0.1:0", "curve://127.0.0.1:0"])
    let keys = fixture.admission.add("notebook")
    let token = [UInt8](repeating: 66, count: 600)
    fixture.admission.change {
      $0.tokens[token] = Identity(
        principal: Principal(tenant: "lab", project: "qc", name: "owner"),
        credential: .key(keys.publicKey),
        grants: [Grant(.submitter, Scope(tenant: "lab", project: "qc"))],
        token: TokenRights(
          id: "t", actions: .all, project: nil, expiresAt: .max, maxShots: nil))
    }
    let curve = (keys, fixture.serverKey)
    let ways: [(String, RawClient, [UInt8])] = [
      ("ipc", RawClient(fixture.endpoint), []),
      ("plain tcp", RawClient(fixture.server.endpoints[1]), []),
      ("curve", RawClient(fixture.curveEndpoint, curve: curve), []),
      ("curve with a token", RawClient(fixture.curveEndpoint, curve: curve), token),
    ]
    let numbers = [Double](repeating: 0.25, count: 28).withUnsafeBytes { [UInt8]($0) }
    let count = Int(ProcessInfo.processInfo.environment["QUBUS_STEP_ROUNDS"] ?? "") ?? 2000
    let ids = ways.map { _ in fixture.sessions.add() }
    var times = [[Double]](repeating: [], count: ways.count)
    for block in stride(from: 1, through: count, by: 250) {
      for (index, (_, client, token)) in ways.enumerated() {
        for sequence in UInt64(block)..<UInt64(min(count + 1, block + 250)) {
          var envelope = Envelope(.call, callID: sequence)
          envelope.method = "Step"
          envelope.timeoutMilliseconds = 5000
          envelope.token = token
          envelope.attachments = [
            AttachmentDescriptor(dataType: .float64, shape: [1, 28], frame: numbers)
          ]
          let message = [envelope.encoded(), Bodies.step(ids[index], sequence), numbers]
          let (time, frames) = client.exchange(message)
          #expect(frames == 3)
          times[index].append(time)
        }
      }
    }
    for (index, way) in ways.enumerated() {
      times[index].sort()
      print("step over \(way.0): p50 \(times[index][count / 2]) µs")
    }
    #expect(times[2][count / 2] < times[0][count / 2] + 500)
  }

  /// What every step pays to be somebody's: looking at the mark, the version, the token, the right.
  @Test("telling who calls and whether they may takes well under 20 µs")
  func authorization() throws {
    let service = FakeSessionService()
    let admission = TestAdmission()
    let keys = admission.add("notebook")
    let configuration = ServerConfiguration(endpoints: [])
    let transport = try Transport(
      ServerStart(
        configuration: configuration, endpoints: [], keys: [:], service: FakeService(),
        sessions: service, tenancy: FakeTenancyService(), admission: admission,
        quotas: QuotaKeeper(), clock: SystemClock(), logger: Fixture.quiet, instanceID: ""),
      outbox: Outbox(), readers: ReaderPool(threads: 1, capacity: 1), files: [])
    defer { transport.socket.close(lingerMilliseconds: 0) }
    let token = [UInt8](repeating: 66, count: 600)
    let grant = Grant(.submitter, Scope(tenant: "lab", project: "qc"))
    admission.change {
      $0.tokens[token] = Identity(
        principal: Principal(tenant: "lab", project: "qc", name: "owner"),
        credential: .key(keys.publicKey), grants: [grant],
        token: TokenRights(id: "t", actions: .all, project: nil, expiresAt: .max, maxShots: nil))
    }
    let mark = transport.socket.mark.text(.key(keys.publicKey))
    let connection = mark.withCString {
      Connection(
        key: 1, routingID: [], credential: .key(keys.publicKey), mark: $0, now: 0)
    }
    let rounds = 200_000
    for (name, bytes) in [("key", []), ("token", token)] {
      var allowed = 0
      let took = try ContinuousClock().measure {
        try mark.withCString { mark in
          for _ in 0..<rounds {
            guard connection.isMarked(mark), transport.isKnown(connection) else { continue }
            let identity = try bytes.withUnsafeBytes { try transport.caller(connection, token: $0) }
            try transport.authorize(identity, .step)
            allowed += 1
          }
        }
      }
      print("who calls, by \(name), and whether they may: \(took / rounds)")
      #expect(allowed == rounds)
      #expect(took < .microseconds(20 * rounds))
    }
  }
}

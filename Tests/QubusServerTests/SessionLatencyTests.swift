import CZeroMQ
import Foundation
import Glibc
import QubusCore
import QubusJobs
import QubusServer
import QubusWire
import Testing

/// A DEALER that sends frames made before and drops what it receives.
private final class RawClient {
  private let context = zmq_ctx_new()
  private let socket: UnsafeMutableRawPointer?
  private var frame = zmq_msg_t()

  init(_ endpoint: String) {
    socket = zmq_socket(context, ZMQ_DEALER)
    var linger: Int32 = 0
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, 4)
    zmq_connect(socket, endpoint)
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
}

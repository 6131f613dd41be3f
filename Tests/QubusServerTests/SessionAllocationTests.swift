import CAllocationCounter
import QubusCore
import QubusEngine
import QubusJobs
import QubusServer
import QubusTenancy
import QubusWire
import Testing

/// A sink that nothing may come to.
private final class NoSink: StepSink {
  func stepAnswered(_ tag: StepTag, _ result: StepResult) {}
  func stepFailed(_ tag: StepTag, _ error: QubusError) {}
}

@Suite("Server: allocations of a step")
struct SessionAllocationTests {
  /// From the bytes of the message to those of the answer; what ZeroMQ allocates for frames that
  /// travel is its own.
  @Test("a thousand steps in place allocate nothing", arguments: [UInt32(1), 3])
  func none(outputs: UInt32) throws {
    let service = FakeSessionService()
    let id = service.add()
    let identity = Identity.submitter(
      Principal(tenant: "default", project: "default", name: "test"))
    let sink = NoSink()
    let exchange = StepExchange(limits: Limits())
    // One byte too far, so that every message must be copied to where numbers may lie.
    let numbers = [UInt8](repeating: 7, count: 8 * 28 + 1)
    let messages = (UInt64(1)...1100).map { sequence -> ([UInt8], [UInt8]) in
      var envelope = Envelope(.call, callID: sequence * 1000)
      envelope.method = "Step"
      envelope.timeoutMilliseconds = 5000
      envelope.attachments = [
        AttachmentDescriptor(dataType: .float64, shape: [1, 28], frame: Array(numbers.dropFirst()))
      ]
      return (envelope.encoded(), Bodies.step(id, sequence, outputs: outputs))
    }
    // The counter counts: what follows would pass without it otherwise.
    let before = allocation_count()
    let probe = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 8)
    probe.storeBytes(of: 1, as: Int.self)
    let isCounting = allocation_count() > before
    probe.deallocate()
    var bytes = 0
    var start: UInt64 = 0
    var answered = 0
    numbers.withUnsafeBytes { raw in
      let attached = UnsafeRawBufferPointer(rebasing: raw.dropFirst())
      for (index, (envelope, body)) in messages.enumerated() {
        if index == 100 { start = allocation_count() }
        envelope.withUnsafeBytes { envelope in
          body.withUnsafeBytes { body in
            guard let scan = exchange.read(envelope: envelope, body: body, numbers: attached)
            else { return }
            let tag = StepTag(connection: 1, callID: scan.message.callID, serial: 1)
            guard
              case .answered(let result) = service.step(
                StepExchange.call(scan.message, tag), parameters: exchange.aligned(attached),
                identity: identity, holder: 1, sink: sink)
            else { return }
            exchange.write(callID: tag.callID, outputs: scan.message.outputs, result)
            bytes += exchange.answer.envelope.count + exchange.answer.body.count
            for index in exchange.answer.attachments.indices {
              bytes += exchange.answer.attachments[index].count
            }
            answered += 1
          }
        }
      }
    }
    let allocations = allocation_count() - start
    print("allocations of 1,000 steps: \(allocations) (counted: \(isCounting))")
    #expect(answered == 1100)
    #expect(bytes > 1100 * 16)
    // Under a sanitizer they cannot be counted.
    if isCounting { #expect(allocations == 0) }
  }

  /// Whose step it is, and that it may, costs no allocation either, by token or by key.
  @Test("the same over curve with a token")
  func curve() throws {
    let fixture = try Fixture(endpoints: ["curve://127.0.0.1:0"])
    let keys = fixture.admission.add("notebook", .viewer)
    let token = [UInt8](repeating: 66, count: 700)
    fixture.admission.change {
      $0.tokens[token] = Identity(
        principal: Principal(tenant: "lab", project: "qc", name: "owner"),
        credential: .key(keys.publicKey),
        grants: [Grant(.submitter, Scope(tenant: "lab", project: "qc"))],
        token: TokenRights(
          id: "t", actions: .all, project: nil, expiresAt: .max, maxShots: nil))
    }
    let client = fixture.client(keys)
    client.token = token
    let id = fixture.sessions.add()
    for sequence in UInt64(1)...1200 {
      client.step(id, sequence, [1, 2])
      #expect(client.receive()?.isOK == true)
    }
    let (early, late) = fixture.sessions.state.withLock { $0.allocations }
    print("allocations of the transport thread in 1,000 steps with a token: \(late - early)")
    #expect(late - early < 100)
  }

  /// ZeroMQ's queues take a block now and then; frames of an answer this small lie in its messages.
  @Test("the whole round of the transport thread allocates nothing of its own for a step in place")
  func round() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let id = fixture.sessions.add()
    for sequence in UInt64(1)...1200 {
      client.step(id, sequence, [1, 2])
      #expect(client.receive()?.isOK == true)
    }
    let (early, late) = fixture.sessions.state.withLock { $0.allocations }
    print("allocations of the transport thread in 1,000 steps: \(late - early)")
    #expect(late - early < 100)
  }
}

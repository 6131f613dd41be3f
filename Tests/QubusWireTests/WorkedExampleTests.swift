import CQubusProto
import Foundation
import QubusCore
import QubusJobs
import QubusWire
import Testing

/// The bytes that `proto/README.md` shows are those that the codec reads and writes.
@Suite("The worked example of proto/README.md")
struct WorkedExampleTests {
  private func frame(_ name: String) throws -> [UInt8] {
    let readme = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../proto/README.md").standardized
    let text = try String(contentsOf: readme, encoding: .utf8)
    let start = try #require(text.range(of: "```hex \(name)\n"))
    let end = try #require(text.range(of: "```", range: start.upperBound..<text.endIndex))
    return try text[start.upperBound..<end.lowerBound].split(whereSeparator: \.isWhitespace)
      .map { try #require(UInt8($0, radix: 16)) }
  }

  private func envelope(_ name: String) throws -> Envelope {
    try frame(name).withUnsafeBytes { try Envelope(decoding: $0) }
  }

  @Test("the envelopes are what the text says, and encode to the same bytes")
  func envelopes() throws {
    var hello = Envelope(.call, callID: 1)
    hello.method = "Hello"
    hello.timeoutMilliseconds = 5000
    #expect(try envelope("hello-envelope") == hello)
    #expect(try frame("hello-envelope") == hello.encoded())
    var submit = Envelope(.call, callID: 2)
    submit.method = "Submit"
    #expect(try frame("submit-envelope") == submit.encoded())
    #expect(try frame("final-envelope") == Envelope(.final, callID: 2).encoded())
  }

  @Test("the bodies decode to what the text says")
  func bodies() throws {
    let decoder = RequestDecoder(limits: Limits())
    let hello = try decoder.hello(frame("hello-body"))
    #expect(hello.minimumProtocolVersion == 1 && hello.maximumProtocolVersion == 1)
    #expect(hello.clientName == "example" && hello.clientVersion == "1.0")
    let body = try frame("submit-body")
    let submit = try decoder.submit(body)
    var spec = JobSpec()
    spec.idempotencyKey = "example-1"
    spec.pubs = [PubSpec(program: Samples.bell)]
    spec.pubs[0].shots = 1024
    spec.execution.seed = 7
    spec.experiment.name = "bell"
    #expect(submit.spec == spec)
    // What is stored is what was sent, less the field's header.
    #expect(submit.request == Array(body.dropFirst(3)))
  }

  @Test("the step and its answer are what the text says, by both ways of reading and writing")
  func step() throws {
    var expected = StepMessage()
    expected.callID = 3
    expected.timeoutMilliseconds = 5000
    expected.session = Samples.id
    expected.sequence = 1
    expected.outputs = 1
    expected.rows = 1
    expected.columns = 2
    expected.checksum = 0x5374_76EA
    let frames = try [frame("step-envelope"), frame("step-body"), frame("step-numbers")]
    let scan = frames[0].withUnsafeBytes { envelope in
      frames[1].withUnsafeBytes { body in
        frames[2].withUnsafeBytes {
          StepScanner(limits: Limits()).scan(envelope: envelope, body: body, numbers: $0)
        }
      }
    }
    #expect(scan?.message == expected)
    let call = try envelope("step-envelope")
    #expect(call.encoded() == frames[0])
    #expect(try RequestDecoder(limits: Limits()).step(call, frames) == expected)
    let answer = StepAnswerFrames()
    answer.begin(callID: 3)
    var response = StepAnswerFrames.Response()
    response.sequence = 1
    response.arrays = 1
    response.deviceNanoseconds = 2000
    [-0.75].withUnsafeBytes { answer.attach(.float64, 1, 1, bytes: $0) }
    answer.finish(response)
    #expect([UInt8](answer.envelope) == (try frame("step-final-envelope")))
    #expect([UInt8](answer.body) == (try frame("step-final-body")))
    let values = [-0.75].withUnsafeBytes { [UInt8]($0) }
    #expect(values == (try frame("step-final-values")))
  }
}

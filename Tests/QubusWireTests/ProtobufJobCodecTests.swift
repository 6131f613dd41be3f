import QubusCore
import QubusJobs
import QubusWire
import Testing

@Suite("ProtobufJobCodec")
struct ProtobufJobCodecTests {
  let codec = ProtobufJobCodec()

  @Test("a request with every field set comes back equal")
  func request() throws {
    let spec = Samples.spec
    #expect(try codec.decodeRequest(codec.encode(spec)) == spec)
  }

  @Test("unset is not zero: absent shots, seed and bounds stay absent")
  func unset() throws {
    var spec = JobSpec()
    spec.pubs = [PubSpec(program: [65])]
    let decoded = try codec.decodeRequest(codec.encode(spec))
    #expect(decoded == spec)
    #expect(decoded.pubs[0].shots == nil)
    #expect(decoded.execution.seed == nil)
    spec.pubs[0].shots = 0
    spec.execution.seed = 0
    let zeros = try codec.decodeRequest(codec.encode(spec))
    #expect(zeros.pubs[0].shots == 0)
    #expect(zeros.execution.seed == 0)
  }

  @Test("manifest, provenance, event body and error come back equal")
  func others() throws {
    #expect(try codec.decodeManifest(codec.encode(Samples.manifest)) == Samples.manifest)
    #expect(try codec.decodeProvenance(codec.encode(Samples.provenance)) == Samples.provenance)
    #expect(try codec.decodeEventBody(codec.encode(Samples.eventBody)) == Samples.eventBody)
    #expect(try codec.decodeEventBody(codec.encode(JobEventBody())) == JobEventBody())
    #expect(try codec.decodeError(codec.encode(Samples.error)) == Samples.error)
  }

  @Test("equal values give equal bytes, whatever the order of dictionaries")
  func deterministic() {
    var a = Samples.provenance
    var b = Samples.provenance
    a.compileOptions = [:]
    b.compileOptions = [:]
    for i in 0..<50 { a.compileOptions["k\(i)"] = "v" }
    for i in (0..<50).reversed() { b.compileOptions["k\(i)"] = "v" }
    #expect(codec.encode(a) == codec.encode(b))
  }

  @Test("another schema version is refused by its field", arguments: [0, 2, 4_000_000_000])
  func schemaVersion(version: UInt32) {
    var spec = Samples.spec
    spec.schemaVersion = version
    let error = #expect(throws: QubusError.self) {
      try codec.decodeRequest(codec.encode(spec))
    }
    #expect(error?.code == .unsupportedSchemaVersion)
    #expect(error?.violations.first?.field == "schema_version")
    var manifest = Samples.manifest
    manifest.schemaVersion = version
    #expect(throws: QubusError.self) { try codec.decodeManifest(codec.encode(manifest)) }
    var provenance = Samples.provenance
    provenance.schemaVersion = version
    #expect(throws: QubusError.self) { try codec.decodeProvenance(codec.encode(provenance)) }
  }

  @Test("a damaged row gives an error at every length but its own")
  func truncated() {
    let bytes = codec.encode(Samples.manifest)
    var refused = 0
    for length in 0..<bytes.count {
      do { _ = try codec.decodeManifest(Array(bytes[..<length])) } catch { refused += 1 }
    }
    // What is cut between two fields still decodes; the outermost fields are few.
    #expect(refused > bytes.count - 16)
    #expect(throws: QubusError.self) { try codec.decodeManifest([]) }
  }

  @Test("large arrays pass: a million parameter values in one request")
  func large() throws {
    var spec = JobSpec()
    var pub = PubSpec(program: [65])
    pub.parameters = [
      ParameterArray(name: "theta", shape: [1 << 20], values: Array(repeating: 0.5, count: 1 << 20))
    ]
    spec.pubs = [pub]
    #expect(try codec.decodeRequest(codec.encode(spec)) == spec)
  }
}

internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore
internal import QubusDevices
internal import QubusJobs

extension PreparedJob {
  /// Everything but the execution hash.
  func provenance(_ record: JobRecord, _ phases: PhaseLedger) -> Provenance {
    var provenance = Provenance(jobID: record.id)
    provenance.device = device.name
    provenance.calibrationID = device.target.isIdeal ? "ideal" : ""
    provenance.calibrationAgeSeconds = device.target.isIdeal ? 0 : nil
    provenance.engine = "qubus"
    provenance.engineVersion = Versions.engine
    provenance.compilerVersion = Versions.compiler
    provenance.protocolVersion = Versions.protocol
    provenance.serverVersion = Versions.server
    provenance.clientVersion = record.clientVersion
    provenance.instructionSet = device.instructionSet
    provenance.compileOptions = device.compileOptions
    provenance.programHashes = pubs.map(\.program.programHash)
    provenance.circuitHashes = pubs.map(\.program.circuitHash)
    provenance.parameters = pubs.flatMap(\.parameters)
    provenance.shots = pubs.map(\.shots)
    provenance.seed = record.seed
    provenance.mitigation = spec.execution.mitigation
    provenance.fallbackUsed = record.fallbackUsed
    provenance.phases = phases
    provenance.attempt = record.attempt
    provenance.fingerprint = record.fingerprint.hexadecimal
    provenance.fingerprintVersion = record.fingerprintVersion
    provenance.numericPrecision = precision == .single ? "single" : "double"
    provenance.replayOf = record.replayOf?.description ?? ""
    return provenance
  }
}

extension [UInt8] {
  var hexadecimal: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}

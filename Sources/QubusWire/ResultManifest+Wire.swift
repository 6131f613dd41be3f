package import CQubusProto
internal import QubusCore
package import QubusJobs

extension MessageBuilder {
  package func manifest(
    _ manifest: ResultManifest
  ) -> UnsafeMutablePointer<Qubus__V1__ResultManifest> {
    let message = make(qubus__v1__result_manifest__init)
    message.pointee.schema_version = manifest.schemaVersion
    message.pointee.job_id = text(manifest.jobID.description)
    message.pointee.attempt = manifest.attempt
    (message.pointee.n_items, message.pointee.items) = list(manifest.items) { item($0) }
    (message.pointee.n_pubs, message.pointee.pubs) = list(manifest.pubs) { summary($0) }
    message.pointee.is_partial = manifest.isPartial ? 1 : 0
    message.pointee.execution_hash = data(manifest.executionHash)
    message.pointee.shots_done = manifest.shotsDone
    return message
  }

  private func item(_ item: ResultItem) -> UnsafeMutablePointer<Qubus__V1__ResultItem> {
    let message = make(qubus__v1__result_item__init)
    message.pointee.name = text(item.name)
    message.pointee.pub = item.pub
    message.pointee.data_type = .init(rawValue: UInt32(item.dataType.rawValue))
    (message.pointee.n_shape, message.pointee.shape) = numbers(item.shape)
    message.pointee.bytes = item.bytes
    message.pointee.sha256 = data(item.sha256)
    (message.pointee.n_chunks, message.pointee.chunks) = list(item.chunks) {
      let chunk = make(qubus__v1__result_chunk_info__init)
      chunk.pointee.offset = $0.offset
      chunk.pointee.bytes = $0.bytes
      chunk.pointee.sha256 = data($0.sha256)
      return chunk
    }
    message.pointee.measurement_basis = text(item.measurementBasis)
    return message
  }

  private func summary(_ pub: PubSummary) -> UnsafeMutablePointer<Qubus__V1__PubSummary> {
    let message = make(qubus__v1__pub_summary__init)
    message.pointee.pub = pub.pub
    message.pointee.qubit_count = pub.qubitCount
    message.pointee.bit_count = pub.bitCount
    (message.pointee.n_shape, message.pointee.shape) = numbers(pub.shape)
    message.pointee.shots = pub.shots
    if let drift = pub.normDrift {
      message.pointee.norm_drift_choice_case =
        QUBUS__V1__PUB_SUMMARY__NORM_DRIFT_CHOICE_NORM_DRIFT
      message.pointee.norm_drift = drift
    }
    (message.pointee.n_registers, message.pointee.registers) = list(pub.registers) {
      let register = make(qubus__v1__bit_register__init)
      register.pointee.name = text($0.name)
      register.pointee.offset = $0.offset
      register.pointee.size = $0.size
      return register
    }
    return message
  }
}

extension ResultManifest {
  init(wire message: Qubus__V1__ResultManifest) throws(QubusError) {
    try checkSchemaVersion(message.schema_version, field: "schema_version")
    self.init(
      jobID: try readIdentifier(message.job_id, field: "job_id"), attempt: message.attempt)
    schemaVersion = message.schema_version
    items = try readList(message.n_items, message.items) { (item, index) throws(QubusError) in
      ResultItem(
        name: String(wire: item.name), pub: item.pub,
        dataType: try readEnum(item.data_type.rawValue, field: "items[\(index)].data_type"),
        shape: [UInt64](wire: item.n_shape, item.shape), bytes: item.bytes,
        sha256: [UInt8](wire: item.sha256),
        chunks: try readList(item.n_chunks, item.chunks) { (chunk, _) in
          ResultChunkInfo(
            offset: chunk.offset, bytes: chunk.bytes, sha256: [UInt8](wire: chunk.sha256))
        },
        measurementBasis: String(wire: item.measurement_basis))
    }
    pubs = try readList(message.n_pubs, message.pubs) { (pub, _) throws(QubusError) in
      PubSummary(
        pub: pub.pub, qubitCount: pub.qubit_count, bitCount: pub.bit_count,
        shape: [UInt64](wire: pub.n_shape, pub.shape), shots: pub.shots,
        normDrift: pub.norm_drift_choice_case
          == QUBUS__V1__PUB_SUMMARY__NORM_DRIFT_CHOICE_NORM_DRIFT ? pub.norm_drift : nil,
        registers: try readList(pub.n_registers, pub.registers) { (register, _) in
          BitRegister(
            name: String(wire: register.name), offset: register.offset, size: register.size)
        })
    }
    isPartial = message.is_partial != 0
    executionHash = [UInt8](wire: message.execution_hash)
    shotsDone = message.shots_done
  }
}

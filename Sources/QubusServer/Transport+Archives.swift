internal import QubusCore
internal import QubusEngine
internal import QubusWire

extension Transport {
  func archive(_ call: Call, _ request: ArchiveJobRequest) throws(QubusError) {
    try read(call) { [key = call.key] service, context in
      .answered(
        key,
        Answer(
          Result { () throws(QubusError) in
            try service.archive(
              request.jobID, to: request.destination, reason: request.reason, context: context)
          }
        ) { Responses.archive($0) })
    }
  }

  func restore(_ call: Call, _ request: RestoreJobRequest) {
    let chunk = ArchivedChunk(
      jobID: request.jobID, executionHash: request.executionHash, item: request.item,
      chunk: request.chunk, data: request.data)
    service.restore(chunk, reason: request.reason, context: call.context) {
      [outbox, key = call.key] result in
      outbox.push(.answered(key, Answer(result) { Responses.restore($0) }))
    }
  }
}

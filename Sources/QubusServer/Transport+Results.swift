internal import QubusCore
internal import QubusEngine
internal import QubusJobs
internal import QubusWire

extension Transport {
  func getResult(_ call: Call, _ request: GetResultRequest) throws(QubusError) {
    guard request.waitMilliseconds > 0 else {
      openResult(call, request)
      return
    }
    call.state = .awaitingResult(request)
    addWait(call, milliseconds: request.waitMilliseconds)
    try observe(call, request.jobID)
  }

  /// Reads manifest and provenance on a reader thread, and the data too when it is small.
  func openResult(_ call: Call, _ request: GetResultRequest) {
    call.state = .working
    call.observation?.end()
    call.observation = nil
    do throws(QubusError) {
      if let (view, result) = service.recentResult(request.jobID, context: call.context) {
        finish(call, try Self.answer(request, view, result))
        return
      }
      try read(call) { [key = call.key, limit = configuration.inlineResultBytes] service, context in
        do throws(QubusError) {
          return try Self.open(key, request, service, context, inlineBytes: limit)
        } catch {
          return .answered(key, Self.withoutResult(error, request.jobID, service, context))
        }
      }
    } catch {
      finish(call, Answer(error))
    }
  }

  private static func open(
    _ key: CallKey, _ request: GetResultRequest, _ service: any JobService,
    _ context: CallContext, inlineBytes: Int
  ) throws(QubusError) -> TransportEvent {
    let (view, manifest, provenance) = try service.result(request.jobID, context: context)
    let chunks = request.manifestOnly ? [] : try manifest.chunks(of: request.selection)
    let opened = OpenedResult(
      jobID: request.jobID, view: view, manifest: manifest, provenance: provenance, chunks: chunks)
    let bytes = chunks.reduce(UInt64(0)) {
      $0 &+ manifest.items[$1.item].chunks[$1.chunk].bytes
    }
    guard bytes <= UInt64(inlineBytes) else { return .resultOpened(key, opened) }
    var attachments: [Attachment] = []
    for chunk in chunks {
      attachments.append(
        Attachment(
          chunk.dataType,
          try service.resultChunk(
            request.jobID, item: chunk.item, chunk: chunk.chunk, context: context)))
    }
    var answer = Answer { Responses.result(opened, inline: true) }
    answer.attachments = attachments
    return .answered(key, answer)
  }

  /// The whole answer from a result in memory, which is small enough to go inline.
  private static func answer(
    _ request: GetResultRequest, _ view: JobView, _ result: JobResult
  ) throws(QubusError) -> Answer {
    let manifest = result.manifest
    let chunks = request.manifestOnly ? [] : try manifest.chunks(of: request.selection)
    let opened = OpenedResult(
      jobID: request.jobID, view: view, manifest: manifest, provenance: result.provenance,
      chunks: chunks)
    var answer = Answer { Responses.result(opened, inline: true) }
    answer.attachments = chunks.map { chunk in
      let info = manifest.items[chunk.item].chunks[chunk.chunk]
      let first = Int(info.offset)
      let data = result.data[chunk.item]
      let isWhole = first == 0 && Int(info.bytes) == data.count
      return Attachment(
        chunk.dataType, isWhole ? data : Array(data[first..<first + Int(info.bytes)]))
    }
    return answer
  }

  /// A job that ended without a result answers with its own error and the job.
  private static func withoutResult(
    _ error: QubusError, _ id: Identifier, _ service: any JobService, _ context: CallContext
  ) -> Answer {
    let view: JobView
    do throws(QubusError) {
      view = try service.job(id, context: context)
    } catch {
      return Answer(error)
    }
    let isOver = view.record.status.isTerminal && view.record.status != .succeeded
    let own = isOver && !view.record.hasResult ? view.record.error : nil
    return Answer(own ?? error) { Responses.result(job: view) }
  }

  // MARK: Chunks

  /// Reads the next chunk as soon as it may be sent: what waits for credit, or for a client that
  /// does not read, would wait in memory.
  func pumpChunks(_ call: Call) {
    guard case .sendingResult(var stream) = call.state,
      let connection = connections[call.key.connection]
    else { return }
    do throws(QubusError) {
      if call.credit.maySend, !stream.isReading, stream.next < stream.opened.chunks.count,
        hasRoom(connection), mayStream(call)
      {
        let chunk = stream.opened.chunks[stream.next]
        stream.next += 1
        stream.reserved = chunk.bytes
        connection.unread.add(chunk.bytes)
        call.state = .sendingResult(stream)
        try read(call) { [key = call.key, id = stream.opened.jobID] service, context in
          .chunkRead(
            key,
            Result { () throws(QubusError) in
              try service.resultChunk(id, item: chunk.item, chunk: chunk.chunk, context: context)
            })
        }
      }
    } catch {
      finish(call, Answer(error))
      return
    }
    if stream.isComplete {
      let opened = stream.opened
      finish(call, Answer { Responses.result(opened, inline: false) })
    }
  }

  func chunkRead(_ call: Call, _ result: Result<[UInt8], QubusError>) {
    guard case .sendingResult(var stream) = call.state,
      let connection = connections[call.key.connection]
    else { return }
    connection.unread.add(-(stream.reserved ?? 0))
    stream.reserved = nil
    call.state = .sendingResult(stream)
    switch result {
    case .failure(let error): finish(call, Answer(error))
    case .success(let bytes):
      let chunk = stream.opened.chunks[stream.next - 1]
      sendPartial(
        call, body: Responses.chunk(chunk), attachments: [Attachment(chunk.dataType, bytes)])
      // With the connection the call may be gone.
      if self.call(call.key) === call { pumpChunks(call) }
    }
  }

  /// Whether the client has read enough of what was sent before: half of what it may leave unread
  /// is for the answers to other calls. Otherwise its streams go on when it has.
  private func hasRoom(_ connection: Connection) -> Bool {
    guard connection.unread.count > configuration.unreadBytes / 2 else { return true }
    if crowded.isEmpty { nextCrowdedLook = clock.monotonic() + Self.crowdedMicroseconds }
    crowded.insert(connection.key)
    return false
  }

  static let crowdedMicroseconds: Microseconds = 20_000

  /// Goes on with the results of those who have read.
  func lookAtCrowded(_ now: Microseconds) {
    guard !crowded.isEmpty, now >= nextCrowdedLook else { return }
    nextCrowdedLook = now + Self.crowdedMicroseconds
    for key in crowded {
      guard let connection = connections[key] else {
        crowded.remove(key)
        continue
      }
      guard connection.unread.count <= configuration.unreadBytes / 2 else { continue }
      crowded.remove(key)
      for call in Array(connection.calls.values) where call.isSendingResult { pumpChunks(call) }
    }
  }
}

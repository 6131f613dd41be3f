internal import Crypto
package import QubusCore

/// A store that forgets: the reference of the contract suite, and the store of engine tests.
///
/// Completions run in the order of their commands, on the thread of whoever delivers; a completion
/// may enqueue further commands.
package final class MemoryJobStore: JobStore {
  private struct State {
    var records: [Identifier: JobRecord] = [:]
    var events: [Identifier: [JobEvent]] = [:]
    var results: [Identifier: JobResult] = [:]
    var keys: [Key: Identifier] = [:]
    var completions: [@Sendable () -> Void] = []
    var isDelivering = false
    var isClosed = false
  }
  private struct Key: Hashable {
    var tenant: String
    var project: String
    var principal: String
    var key: String
  }
  private let state = Lock(State())
  private let clock: any Clock

  package let schemaVersion = 1
  package let audit: MemoryAudit

  package init(clock: any Clock, audit: MemoryAudit = MemoryAudit()) {
    self.clock = clock
    self.audit = audit
  }

  package func perform(_ command: StoreCommand) {
    let now = clock.now()
    let delivers = state.withLock { state in
      state.completions.append(execute(command, at: now, in: &state))
      defer { state.isDelivering = true }
      return !state.isDelivering
    }
    guard delivers else { return }
    while let completion = nextCompletion() { completion() }
  }

  private func nextCompletion() -> (@Sendable () -> Void)? {
    state.withLock { state in
      guard !state.completions.isEmpty else {
        state.isDelivering = false
        return nil
      }
      return state.completions.removeFirst()
    }
  }

  private func execute(
    _ command: StoreCommand, at now: Microseconds, in state: inout State
  ) -> @Sendable () -> Void {
    let closed = QubusError(.storageUnavailable, "the store is closed")
    switch command {
    case .accept(let record, let events, let entry, let completion):
      let outcome: Result<AcceptOutcome, QubusError>
      do throws(QubusError) {
        guard !state.isClosed else { throw closed }
        let accepted = try Self.accept(record, events, in: &state)
        if let entry {
          switch accepted {
          case .accepted: audit.append(entry)
          case .duplicate(let known): audit.append(entry.duplicate(of: known.id, kind: "job"))
          }
        }
        outcome = .success(accepted)
      } catch { outcome = .failure(error) }
      return { completion(outcome) }
    case .update(let update, let completion):
      let outcome: Result<[JobEvent], QubusError>
      do throws(QubusError) {
        guard !state.isClosed else { throw closed }
        outcome = .success(try Self.apply(update, at: now, in: &state))
        for entry in update.audit { audit.append(entry) }
      } catch { outcome = .failure(error) }
      return { completion(outcome) }
    case .flush(let completion):
      let isClosed = state.isClosed
      return { completion(isClosed ? .failure(closed) : .success(())) }
    }
  }

  private static func accept(
    _ record: JobRecord, _ events: [NewEvent], in state: inout State
  ) throws(QubusError) -> AcceptOutcome {
    let key = Key(
      tenant: record.principal.tenant, project: record.principal.project,
      principal: record.principal.name, key: record.idempotencyKey)
    if !record.idempotencyKey.isEmpty, let id = state.keys[key], let known = state.records[id] {
      guard
        known.fingerprint == record.fingerprint,
        known.fingerprintVersion == record.fingerprintVersion
      else {
        throw .idempotencyConflict(
          key: record.idempotencyKey, existing: id, existingFingerprint: known.fingerprint,
          fingerprint: record.fingerprint)
      }
      return .duplicate(known)
    }
    if case .refused(let refusal)? = record.costAcceptance { throw refusal }
    guard state.records[record.id] == nil else {
      throw QubusError(.invariantViolated, "job id \(record.id) is taken")
    }
    let accepted = try record.accepting(events)
    state.records[record.id] = accepted.record
    state.events[record.id] = accepted.events
    if !record.idempotencyKey.isEmpty { state.keys[key] = record.id }
    return .accepted(accepted.record, accepted.events)
  }

  private static func apply(
    _ update: JobUpdate, at now: Microseconds, in state: inout State
  ) throws(QubusError) -> [JobEvent] {
    guard var record = state.records[update.jobID] else {
      throw QubusError(.jobNotFound, "no job \(update.jobID)")
    }
    try update.result?.validate()
    let (head, events) = try record.head.applying(update)
    if let time = update.retention?.removedExpiry, time != record.retention.resultsExpireAt {
      throw .restoredMeanwhile(record.id)
    }
    record.apply(update, head: head, storedAt: now)
    state.records[update.jobID] = record
    state.events[update.jobID, default: []] += events
    if let result = update.result { state.results[update.jobID] = result }
    if update.retention?.removesResult == true { state.results[update.jobID]?.data = [] }
    if let last = update.retention?.removesEventsThrough {
      state.events[update.jobID]?.removeAll { $0.sequence <= last }
    }
    return events
  }

  package func job(_ id: Identifier) throws(QubusError) -> JobRecord? {
    state.withLock { $0.records[id] }
  }

  package func jobs(_ filter: JobFilter) throws(QubusError) -> [JobRecord] {
    let all = state.withLock { Array($0.records.values) }
    return Array(
      all.filter { filter.matches($0) }.sorted { $0.id > $1.id }.prefix(max(0, filter.limit)))
  }

  package func unfinishedJobs() throws(QubusError) -> [JobRecord] {
    state.withLock { $0.records.values.filter { !$0.status.isTerminal } }
      .sorted { $0.id < $1.id }
  }

  package func events(
    _ id: Identifier, after sequence: UInt64, limit: Int
  ) throws(QubusError) -> [JobEvent] {
    state.withLock { state in
      Array((state.events[id] ?? []).lazy.filter { $0.sequence > sequence }.prefix(max(0, limit)))
    }
  }

  package func result(_ id: Identifier) throws(QubusError) -> (ResultManifest, Provenance)? {
    state.withLock { $0.results[id] }.map { ($0.manifest, $0.provenance) }
  }

  package func resultChunk(
    _ id: Identifier, item: Int, chunk: Int
  ) throws(QubusError) -> [UInt8] {
    guard let result = state.withLock({ $0.results[id] }) else {
      throw QubusError(.resultNotReady, "job \(id) has no result")
    }
    if let retention = state.withLock({ $0.records[id]?.retention }), retention.isResultRemoved {
      throw .resultExpired(id, at: retention.resultsExpireAt)
    }
    guard
      result.manifest.items.indices.contains(item),
      result.manifest.items[item].chunks.indices.contains(chunk)
    else {
      throw QubusError(.unknownResultItem, "job \(id) has no chunk \(chunk) of item \(item)")
    }
    let info = result.manifest.items[item].chunks[chunk]
    let bytes = Array(result.data[item][Int(info.offset)..<Int(info.offset + info.bytes)])
    guard info.sha256.elementsEqual(SHA256.hash(data: bytes)) else {
      throw QubusError(.resultCorrupt, "job \(id): chunk \(chunk) of item \(item) is damaged")
    }
    return bytes
  }

  package func close() throws(QubusError) {
    state.withLock { $0.isClosed = true }
  }
}

extension JobFilter {
  /// Whether a job passes: tenant and project equal, and the principal's name unless it is empty;
  /// one of the statuses, all of the tags, exactly the name, older than `before`.
  func matches(_ record: JobRecord) -> Bool {
    if let principal {
      guard
        record.principal.tenant == principal.tenant,
        record.principal.project == principal.project,
        principal.name.isEmpty || record.principal.name == principal.name
      else { return false }
    }
    if let before, record.id >= before { return false }
    if let batch, record.batch != batch { return false }
    return (statuses.isEmpty || statuses.contains(record.status))
      && (name.isEmpty || record.name == name)
      && tags.allSatisfy { record.tags.contains($0) }
  }
}

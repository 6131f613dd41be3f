internal import Logging
package import QubusCore
internal import QubusDevices
package import QubusJobs
internal import QubusScheduler
internal import QubusTenancy

/// When waiting jobs will start: on request only, from copies of the scheduler that are carried on.
extension Engine {
  /// Quotes that a start of the service learns from.
  private static let rememberedQuotes = 2000
  /// Time between a quote and its row, at most.
  private static let quoteInterval: Microseconds = 5_000_000

  /// Nil for a job that does not wait for its turn, or while forecasts have taken their part of the
  /// time. May take milliseconds; what was told a moment ago is told again at once.
  func forecast(_ record: JobRecord) -> JobForecast? {
    guard record.status == .queued, waitsForTurn(record.id) else { return nil }
    let now = clock.now()
    if let known = startQuotes.known(record.id, now: now) { return known }
    guard let found = forecast(of: record.id) else { return nil }
    let lane = Lane(rawValue: record.lane) ?? .batch
    let told = startQuotes.corrected(found, in: lane, now: now)
    if startQuotes.tell(told, raw: found.start, of: record, now: now) { saveQuotesLater() }
    return told
  }

  private func waitsForTurn(_ id: Identifier) -> Bool {
    scheduler.withScheduler { $0.rolloutWaiting(id) != nil }
  }

  /// Of a job that is not there yet; it is no quote.
  func forecast(ofNew job: SchedulerJob) -> JobForecast? {
    forecast(of: job.id, new: job).map { startQuotes.corrected($0, in: job.lane, now: clock.now()) }
  }

  /// Of a job that was not submitted.
  func forecast(ofPlanned job: PreparedJob, of principal: Principal) -> JobForecast? {
    var record = JobRecord(id: identifiers.next(), principal: principal, request: [])
    record.device = job.device.name
    record.phases.acceptedAt = clock.now()
    return forecast(ofNew: waitingJob(record, job))
  }

  private func forecast(of id: Identifier, new: SchedulerJob? = nil) -> StartForecast? {
    let began = clock.monotonic()
    guard startQuotes.begin(monotonic: began) else { return nil }
    defer { startQuotes.done(began: began, monotonic: clock.monotonic()) }
    let now = clock.now()
    let bounds = StartForecast.Bounds()
    // While a copy of a large queue is held, the next change of the queue itself would be slow.
    let copy = scheduler.withScheduler { scheduler -> Scheduler? in
      scheduler.rolloutSize <= bounds.size ? scheduler : nil
    }
    guard var copy else {
      return scheduler.withScheduler {
        StartForecast(of: id, in: $0, now: now, seed: id.low, bounds: bounds)
      }
    }
    if let new { copy.apply(.restored(new), now: now) }
    return StartForecast(of: id, in: copy, now: now, seed: id.low, bounds: bounds)
  }

  package func isForecastDue(_ id: Identifier) -> Bool {
    waitsForTurn(id) && startQuotes.known(id, now: clock.now()) == nil
  }

  package func startQuoteScores(
    context: CallContext
  ) throws(QubusError) -> (level: Double, scores: [StartQuoteScore]) {
    try context.check(.readJobs, now: clock.now())
    let scores = try quoteStore?.startQuoteScores()
    return (startQuotes.level, scores ?? [])
  }

  // MARK: - What was told, and how it held

  /// A job that waited starts.
  func scoreQuotes(of id: Identifier) {
    if startQuotes.started(id, at: clock.now()) { saveQuotesLater() }
  }

  private func saveQuotesLater() {
    guard quoteStore != nil else { return }
    scheduler.schedule(at: clock.now() + Self.quoteInterval) { [weak self] in self?.saveQuotes() }
  }

  func saveQuotes() {
    guard let quoteStore else { return }
    let unsaved = startQuotes.takeUnsaved()
    guard !unsaved.isEmpty else { return }
    quoteStore.keep(unsaved) { [weak self] result in
      guard case .failure(let error) = result, let self else { return }
      logger.warning(
        "quotes of starts are not stored", metadata: ["error": "\(error.logText)"])
      if startQuotes.putBack(unsaved), !isStopping { saveQuotesLater() }
    }
  }

  /// Takes over what an earlier life of the service told, and learned from it.
  func restoreQuotes() throws(QubusError) {
    guard let quoteStore else { return }
    let found = try quoteStore.startQuotes(limit: Self.rememberedQuotes)
    guard !found.isEmpty else { return }
    startQuotes.restore(found, waiting: Set(try store.unfinishedJobs().map(\.id)))
  }
}

internal import QubusCore
internal import QubusJobs
internal import QubusScheduler

/// What was told of the starts of jobs that wait, and what the starts of others taught.
final class QuoteBook: Sendable {
  fileprivate struct Told: Sendable {
    var forecast: JobForecast
    /// Told again until then.
    var goodUntil: Microseconds
    /// Until the job starts; the last ones of many.
    var quotes: [StartQuoteRecord] = []
  }
  fileprivate struct State: Sendable {
    var bands = ConformalBand()
    var told: [Identifier: Told] = [:]
    var unsaved: [StartQuoteRecord] = []
    /// When the next forecast may be made, by the monotonic clock; `.max` while one is.
    var nextAt: Microseconds = .min
  }
  /// Quotes of one job that are scored.
  private static let quotesPerJob = 32
  /// Jobs that something was told of; of further ones it is told and not scored.
  private static let jobs = 20_000
  /// Quotes that wait for the store; of further ones some are lost to the statistics.
  static let unsavedLimit = 4096
  /// A forecast is told again for a second, or this part of the wait.
  private static let goodPart: Microseconds = 16
  /// Forecasts take at most one part in so many of the time of one core.
  private static let rest: Microseconds = 9
  private let state = Lock(State())

  /// What was told last, if it still holds.
  func known(_ id: Identifier, now: Microseconds) -> JobForecast? {
    state.withLock { state in
      state.told[id].flatMap { now < $0.goodUntil ? $0.forecast : nil }
    }
  }

  /// Whether a forecast may be made now; then `done` must follow.
  func begin(monotonic now: Microseconds) -> Bool {
    state.withLock { state in
      guard now >= state.nextAt else { return false }
      state.nextAt = .max
      return true
    }
  }

  func done(began: Microseconds, monotonic now: Microseconds) {
    state.withLock { $0.nextAt = now + Self.rest * max(0, now - began) }
  }

  /// Corrects a forecast by what is known of such.
  func corrected(
    _ forecast: StartForecast, in lane: Lane, now: Microseconds
  ) -> JobForecast {
    state.withLock { state in
      let start = state.bands.band(forecast.start, in: lane, now: now)
      let raw = forecast.start
      // The end moves with the start.
      let end = TimeBand(
        p10: max(start.p10, forecast.end.p10 + start.p10 - raw.p10),
        p50: max(start.p50, forecast.end.p50 + start.p50 - raw.p50),
        p90: max(start.p90, forecast.end.p90 + start.p90 - raw.p90))
      return JobForecast(start: start, end: end, confidence: state.bands.level)
    }
  }

  /// Notes what is told; true when it is the first that waits for the store.
  func tell(_ forecast: JobForecast, raw: TimeBand, of job: JobRecord, now: Microseconds) -> Bool {
    state.withLock { state in
      let wait = max(0, forecast.start.p50 - now)
      let goodUntil = now + max(1_000_000, wait / Self.goodPart)
      guard state.told[job.id] != nil || state.told.count < Self.jobs else { return false }
      var told = state.told[job.id] ?? Told(forecast: forecast, goodUntil: goodUntil)
      (told.forecast, told.goodUntil) = (forecast, goodUntil)
      let quote = StartQuoteRecord(
        job: job.id, lane: job.lane, device: job.device, quotedAt: now, raw: raw,
        band: forecast.start)
      if told.quotes.last?.quotedAt != now { told.quotes.append(quote) }
      if told.quotes.count > Self.quotesPerJob { told.quotes.removeFirst() }
      state.told[job.id] = told
      return state.note([quote])
    }
  }

  /// Scores what was told of a job; true as for `tell`.
  func started(_ id: Identifier, at time: Microseconds) -> Bool {
    state.withLock { state in
      guard let told = state.told.removeValue(forKey: id) else { return false }
      var scored: [StartQuoteRecord] = []
      for var quote in told.quotes {
        quote.startedAt = time
        state.score(quote)
        scored.append(quote)
      }
      return state.note(scored)
    }
  }

  /// The job ended; one that never started is scored by nobody.
  func forget(_ id: Identifier) { state.withLock { _ = $0.told.removeValue(forKey: id) } }

  /// What an earlier life of the service left, oldest first.
  /// - Parameter waiting: jobs that may still start.
  func restore(_ quotes: [StartQuoteRecord], waiting: Set<Identifier>) {
    state.withLock { state in
      for quote in quotes {
        if quote.startedAt != nil {
          state.score(quote)
        } else if waiting.contains(quote.job) {
          let forecast = JobForecast(start: quote.band, end: quote.band, confidence: 0)
          state.told[quote.job, default: Told(forecast: forecast, goodUntil: .min)].quotes
            .append(quote)
        }
      }
    }
  }

  func takeUnsaved() -> [StartQuoteRecord] {
    state.withLock { state in
      defer { state.unsaved = [] }
      return state.unsaved
    }
  }

  /// Takes back what the store refused, as far as there is room; true as for `tell`.
  func putBack(_ quotes: [StartQuoteRecord]) -> Bool {
    state.withLock { state in
      let wasEmpty = state.unsaved.isEmpty
      state.unsaved = Array((quotes + state.unsaved).suffix(Self.unsavedLimit))
      return wasEmpty
    }
  }

  var level: Double { state.withLock { $0.bands.level } }
}

extension QuoteBook.State {
  fileprivate mutating func score(_ quote: StartQuoteRecord) {
    guard let start = quote.startedAt, let lane = Lane(rawValue: quote.lane) else { return }
    bands.score(
      StartQuote(lane: lane, at: quote.quotedAt, raw: quote.raw, band: quote.band),
      startedAt: start)
  }

  fileprivate mutating func note(_ quotes: [StartQuoteRecord]) -> Bool {
    let wasEmpty = unsaved.isEmpty
    unsaved += quotes.prefix(max(0, QuoteBook.unsavedLimit - unsaved.count))
    return wasEmpty && !unsaved.isEmpty
  }
}

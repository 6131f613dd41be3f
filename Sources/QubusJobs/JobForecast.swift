package import QubusCore

/// When a waiting job will start and end.
package struct JobForecast: Sendable, Hashable {
  package var start: TimeBand
  package var end: TimeBand
  /// Part of the starts that fall between p10 and p90.
  package var confidence: Double

  package init(start: TimeBand, end: TimeBand, confidence: Double) {
    self.start = start
    self.end = end
    self.confidence = confidence
  }
}

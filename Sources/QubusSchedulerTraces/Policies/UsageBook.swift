internal import Foundation
package import QubusCore

/// What each user has used, in processor seconds, forgotten by half in a half-life. Jobs that run
/// count from their start on, second by second.
package struct UsageBook: Sendable {
  /// Per second; 0 never forgets.
  private let decay: Double
  private var used: [Double] = []
  private var rates: [Double] = []
  private var time: Microseconds = 0
  private(set) package var total = 0.0
  private let userCount: Int

  /// - Parameter halfLifeSeconds: nil never forgets.
  package init(userCount: Int, halfLifeSeconds: Double?) {
    self.userCount = userCount
    decay = halfLifeSeconds.map { log(2) / $0 } ?? 0
    used = Array(repeating: 0, count: userCount)
    rates = Array(repeating: 0, count: userCount)
  }

  package mutating func advance(to now: Microseconds) {
    guard now > time else { return }
    let seconds = Double(now - time) / 1e6
    time = now
    let kept = exp(-decay * seconds)
    let gained = decay > 0 ? (1 - kept) / decay : seconds
    total = 0
    for user in used.indices {
      used[user] = used[user] * kept + rates[user] * gained
      total += used[user]
    }
  }

  package mutating func change(user: Int, processors: Int) {
    rates[user] += Double(processors)
  }

  package func usage(of user: Int) -> Double { used[user] }

  /// The user's part of all usage, as a multiple of an equal share; 0 while nothing was used.
  package func normalisedShare(of user: Int) -> Double {
    total > 0 ? used[user] / total * Double(userCount) : 0
  }
}

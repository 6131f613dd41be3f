package import QubusCore

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Used device-seconds of accounts that lose half their worth in every half-life.
///
/// Instead of making old use smaller, new use is entered larger: an amount at time t is multiplied
/// by 2^(t / half-life), so that nothing has to be touched as time goes by, and sums stay sums.
struct UsageHistory: Sendable {
  private struct Account: Sendable {
    var parent: Int?
    var weight: Double
    var used = 0.0
    /// Over its children: sum of used, and of used² / weight.
    var childUsed = 0.0
    var childSquares = 0.0
  }
  private let halfLife: Double?
  private let largestFactor: Double
  private var accounts: [Account] = []
  private var origin: Microseconds?
  private var scale = 1.0

  init(halfLife: Microseconds?, largestFactor: Double) {
    self.halfLife = halfLife.map(Double.init)
    self.largestFactor = largestFactor
  }

  /// A new account; they are numbered from 0.
  mutating func addAccount(parent: Int?, weight: Double) -> Int {
    accounts.append(Account(parent: parent, weight: weight))
    return accounts.count - 1
  }

  func weight(_ account: Int) -> Double { accounts[account].weight }

  /// Without what the past makes of it.
  func weight(of node: ShareNode) -> Double {
    node.account.map { accounts[$0].weight } ?? node.fixedWeight
  }

  mutating func setWeight(_ weight: Double, of account: Int) {
    let used = accounts[account].used
    if let parent = accounts[account].parent {
      let change = used * used * (1 / weight - 1 / accounts[account].weight)
      accounts[parent].childSquares = max(0, accounts[parent].childSquares + change)
    }
    accounts[account].weight = weight
  }

  mutating func advance(to now: Microseconds) {
    guard let halfLife else { return }
    let start = origin ?? now
    origin = start
    let ages = Double(now - start) / halfLife
    guard ages < 256 else { return rebase(now) }
    scale = exp2(ages)
  }

  /// Numbers grow as time goes by; long before they overflow, all are made small again.
  private mutating func rebase(_ now: Microseconds) {
    let factor = halfLife.map { exp2(-Double(now - (origin ?? now)) / $0) } ?? 1
    for index in accounts.indices {
      accounts[index].used *= factor
      accounts[index].childUsed *= factor
      accounts[index].childSquares *= factor * factor
    }
    origin = now
    scale = 1
  }

  /// - Parameter amount: device-seconds; negative gives back what was entered too much.
  mutating func add(_ amount: Double, to account: Int) {
    let before = accounts[account].used
    let after = max(0, before + amount * scale)
    accounts[account].used = after
    guard let parent = accounts[account].parent else { return }
    accounts[parent].childUsed = max(0, accounts[parent].childUsed + after - before)
    let squares = (after * after - before * before) / accounts[account].weight
    accounts[parent].childSquares = max(0, accounts[parent].childSquares + squares)
  }

  /// Device-seconds worth of the account's past, now.
  func used(by account: Int) -> Double { accounts[account].used / scale }

  /// What the past multiplies the weight by: the siblings' use per weight, as the average used
  /// second saw it, over its own; at most `largestFactor` up or down.
  func factor(of account: Int) -> Double {
    guard halfLife != nil, let parent = accounts[account].parent else { return 1 }
    let (all, squares) = (accounts[parent].childUsed, accounts[parent].childSquares)
    guard all > 0, squares > 0 else { return 1 }
    let usual = squares / all
    let own = accounts[account].used / accounts[account].weight
    guard own > usual / largestFactor else { return largestFactor }
    return max(1 / largestFactor, usual / own)
  }

  /// The same of a child of `parent` that used nothing.
  func factorOfUnused(in parent: Int?) -> Double {
    guard halfLife != nil, let parent, accounts[parent].childSquares > 0 else { return 1 }
    return largestFactor
  }
}

extension FairPolicy {
  /// What device-seconds of this age still count for.
  package func worth(_ deviceSeconds: Double, age: Microseconds) -> Double {
    guard let usageHalfLife else { return deviceSeconds }
    return deviceSeconds * exp2(-Double(max(0, age)) / Double(usageHalfLife))
  }
}

internal import QubusCore

/// Names of files that were written for rows that are not committed yet: nobody may remove them.
final class BlobClaims: Sendable {
  private let counts = Lock<[[UInt8]: Int]>([:])

  /// Holds the name until the claim is released.
  func claim(_ name: [UInt8]) -> BlobClaim {
    counts.withLock { $0[name, default: 0] += 1 }
    return BlobClaim(name, of: self)
  }

  fileprivate func release(_ name: [UInt8]) {
    counts.withLock { counts in
      let left = (counts[name] ?? 1) - 1
      counts[name] = left == 0 ? nil : left
    }
  }

  /// Runs `body` while nobody can claim the name; not at all when somebody has.
  func unlessClaimed(
    _ name: [UInt8], _ body: () throws(QubusError) -> Bool
  ) throws(QubusError) -> Bool {
    try counts.withLock { (counts) throws(QubusError) in
      counts[name] == nil ? try body() : false
    }
  }
}

/// Lives as long as the command that writes the row.
final class BlobClaim: Sendable {
  private let name: [UInt8]
  private let claims: BlobClaims

  fileprivate init(_ name: [UInt8], of claims: BlobClaims) {
    self.name = name
    self.claims = claims
  }

  deinit { claims.release(name) }
}

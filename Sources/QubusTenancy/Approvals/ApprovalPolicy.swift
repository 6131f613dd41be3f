package import QubusCore
package import QubusJobs

/// Up to where jobs of an experiment class run without being asked for.
package struct ApprovalPolicy: Sendable, Hashable {
  /// Which jobs it is for.
  package struct Key: Sendable, Hashable {
    package var tenant: String
    /// Nil: every project of the tenant that has none of its own.
    package var project: String?
    /// Empty: every class that has none of its own, and jobs without one.
    package var experimentClass: String

    package init(tenant: String, project: String?, experimentClass: String) {
      self.tenant = tenant
      self.project = project
      self.experimentClass = experimentClass
    }

    /// `lab/qc validation`, `lab *`.
    package var text: String {
      (project.map { "\(tenant)/\($0)" } ?? tenant)
        + " " + (experimentClass.isEmpty ? "*" : experimentClass)
    }
  }

  package var key: Key
  /// Of one job; nil: any number.
  package var maxShots: UInt64?
  /// Micro-units, of the most that a job may cost (`execution.max_cost`); one that names no bound
  /// may cost anything, unless its device is free. Nil: any cost.
  package var maxCost: Int64?
  /// That run without approval; empty: all.
  package var deviceFamilies: [String]
  /// Seconds that a job waits for a decision before it expires.
  package var expirySeconds: Int64

  package init(key: Key) {
    self.key = key
    deviceFamilies = []
    expirySeconds = Self.usualExpirySeconds
  }

  package static let usualExpirySeconds: Int64 = 7 * 86_400
  package static let longestExpirySeconds: Int64 = 90 * 86_400
  package static let familiesLimit = 16
  /// Bytes.
  package static let classLimit = 64

  /// Why a job has to be approved, in words; empty: it runs without.
  package func causes(
    _ spec: JobSpec, shots: UInt64, device: String, isFree: Bool
  ) -> [String] {
    var causes: [String] = []
    if let maxShots, shots > maxShots {
      causes.append("\(shots) shots (without approval: \(maxShots))")
    }
    if let maxCost, !isFree {
      switch spec.execution.maxCost {
      case nil: causes.append("no bound of its cost (without approval: \(maxCost) micro-units)")
      case let cost? where cost > maxCost:
        causes.append("a cost of up to \(cost) micro-units (without approval: \(maxCost))")
      default: break
      }
    }
    let family = Resource.family(ofDevice: device)
    if !deviceFamilies.isEmpty, !deviceFamilies.contains(family) {
      causes.append(
        "device family \(family) (without approval: \(deviceFamilies.joined(separator: ", ")))")
    }
    return causes
  }

  /// Why it is no policy; nil when it is one.
  package var refusal: QubusError? {
    if key.experimentClass.utf8.count > Self.classLimit {
      return .field(
        .invalidRequest, "experiment_class", "is too long", limit: "\(Self.classLimit) bytes")
    }
    if let maxCost, maxCost < 0 {
      return .field(.invalidRequest, "max_cost", "\(maxCost) is negative", limit: "0 or more")
    }
    guard deviceFamilies.count <= Self.familiesLimit,
      deviceFamilies.allSatisfy(TenancyName.isValid)
    else {
      return .field(
        .invalidName, "device_families", "they are no names of families",
        limit: "\(Self.familiesLimit)")
    }
    guard (1...Self.longestExpirySeconds).contains(expirySeconds) else {
      return .field(
        .invalidRequest, "expiry_seconds", "\(expirySeconds) is out of range",
        limit: "1 to \(Self.longestExpirySeconds)")
    }
    return nil
  }
}

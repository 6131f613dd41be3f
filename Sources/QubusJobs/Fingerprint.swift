package import QubusCircuit
package import QubusCore

/// What makes two requests the same request: SHA-256 over the normalised programs, parameters,
/// observables, outputs, execution options and the jobs to wait for. White space, comments, names
/// of registers, and what only labels a job (name, tags, ids) do not matter.
///
/// The definition has a version (`Versions.fingerprint`), kept beside every fingerprint.
package enum Fingerprint {
  /// A pub after the front end.
  package struct Pub: Sendable {
    package var circuitHash: [UInt8]
    /// In order of the program's declarations; names do not matter.
    package var parameters: [(shape: [Int], values: [Double])]
    package var observables: [PauliSum]
    package var observablesShape: [Int]
    package var shots: UInt64
    package var outputs: Set<OutputKind>
    package var targetPrecision: Double?

    package init(
      circuitHash: [UInt8], parameters: [(shape: [Int], values: [Double])],
      observables: [PauliSum], observablesShape: [Int], shots: UInt64, outputs: Set<OutputKind>,
      targetPrecision: Double?
    ) {
      self.circuitHash = circuitHash
      self.parameters = parameters
      self.observables = observables
      self.observablesShape = observablesShape
      self.shots = shots
      self.outputs = outputs
      self.targetPrecision = targetPrecision
    }
  }

  /// - Parameters:
  ///   - device: the device's name after the server's default was filled in.
  ///   - after: jobs that have to end first, in any order.
  ///   - afterOK: jobs that have to succeed first, in any order.
  package static func compute(
    pubs: [Pub], execution: ExecutionSpec, device: String, after: [Identifier] = [],
    afterOK: [Identifier] = []
  ) -> [UInt8] {
    var bytes = CanonicalBytes()
    bytes.append("qubus fingerprint")
    bytes.append(UInt64(Versions.fingerprint))
    bytes.append(UInt64(pubs.count))
    for pub in pubs { append(pub, to: &bytes) }
    append(execution, device: device, to: &bytes)
    // Nothing is appended for the many that wait for none: theirs are what they were before.
    if !after.isEmpty || !afterOK.isEmpty {
      append(after, to: &bytes)
      append(afterOK, to: &bytes)
    }
    return bytes.digest
  }

  private static func append(_ jobs: [Identifier], to bytes: inout CanonicalBytes) {
    bytes.append(UInt64(jobs.count))
    for job in jobs.sorted() { bytes.append(run: job.bytes) }
  }

  private static func append(_ pub: Pub, to bytes: inout CanonicalBytes) {
    bytes.append(run: pub.circuitHash)
    bytes.append(UInt64(pub.parameters.count))
    for parameter in pub.parameters {
      bytes.append(parameter.shape)
      bytes.append(parameter.values)
    }
    bytes.append(pub.observablesShape)
    bytes.append(UInt64(pub.observables.count))
    for observable in pub.observables {
      bytes.append(UInt64(observable.terms.count))
      for term in observable.terms {
        bytes.append(term.x)
        bytes.append(term.z)
        bytes.append(term.coefficient)
      }
    }
    bytes.append(pub.shots)
    let outputs = pub.outputs.reduce(UInt64(0)) { $0 | 1 << UInt64($1.rawValue) }
    bytes.append(outputs)
    bytes.append(pub.targetPrecision)
  }

  private static func append(
    _ execution: ExecutionSpec, device: String, to bytes: inout CanonicalBytes
  ) {
    bytes.append(UInt64(execution.priorityClass.rawValue))
    bytes.append(device)
    bytes.append(UInt64(execution.devicePolicy.rawValue))
    bytes.append(execution.allowSimulatorFallback)
    bytes.append(execution.maxError)
    bytes.append(execution.deadlineSeconds)
    bytes.append(execution.ttlSeconds)
    bytes.append(execution.expectedSeconds)
    bytes.append(execution.maxRunSeconds)
    bytes.append(execution.maxCost.map { UInt64(bitPattern: $0) })
    bytes.append(execution.seed)
    bytes.append(UInt64(execution.precision.rawValue))
    bytes.append(UInt64(execution.mitigation.count))
    for (key, value) in execution.mitigation.sorted(by: { $0.key < $1.key }) {
      bytes.append(key)
      bytes.append(value)
    }
  }
}

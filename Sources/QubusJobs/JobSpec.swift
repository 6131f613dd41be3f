package import QubusCore

/// Values of one input parameter; row-major, `shape` empty for a scalar.
package struct ParameterArray: Sendable, Hashable {
  package var name: String
  package var shape: [Int]
  package var values: [Double]

  package init(name: String, shape: [Int], values: [Double]) {
    self.name = name
    self.shape = shape
    self.values = values
  }
}

/// An observable as written: Pauli strings, leftmost letter on the highest qubit.
package struct ObservableSpec: Sendable, Hashable {
  package struct Term: Sendable, Hashable {
    package var pauli: String
    package var coefficient: Double

    package init(pauli: String, coefficient: Double) {
      self.pauli = pauli
      self.coefficient = coefficient
    }
  }
  package var terms: [Term]

  package init(terms: [Term]) { self.terms = terms }
}

/// What a pub asks for; raw values are those of the wire's `OutputKind`.
package enum OutputKind: UInt8, Sendable, Hashable, CaseIterable {
  case counts = 1
  case memory = 2
  case probabilities = 3
  case stateVector = 4
  case expectationValues = 5
}

/// Publication unit: one program with arrays of parameters and observables that broadcast.
package struct PubSpec: Sendable, Hashable {
  package var program: [UInt8]
  package var parameters: [ParameterArray] = []
  package var observables: [ObservableSpec] = []
  /// Empty: a vector of the observables, a scalar when there is one.
  package var observablesShape: [Int] = []
  package var shots: Int64?
  package var outputs: [OutputKind] = []
  package var targetPrecision: Double?

  package init(program: [UInt8]) { self.program = program }
}

package enum PriorityClass: UInt8, Sendable, Hashable {
  case automatic = 0
  case interactive = 1
  case batch = 2
}

package enum NumericPrecision: UInt8, Sendable, Hashable {
  case double = 1
  case single = 2
}

package enum DevicePolicy: UInt8, Sendable, Hashable {
  case unspecified = 0
  case cheapest = 1
  case fastest = 2
  case bestFidelity = 3
}

/// How a job is to be run. Unknown is nil, never 0.
package struct ExecutionSpec: Sendable, Hashable {
  package var priorityClass = PriorityClass.automatic
  /// Empty: the server's default.
  package var device = ""
  package var deviceFamily = ""
  package var devicePolicy = DevicePolicy.unspecified
  package var allowSimulatorFallback = false
  package var maxError: Double?
  package var deadlineSeconds: Double?
  package var ttlSeconds: Double?
  package var expectedSeconds: Double?
  package var maxRunSeconds: Double?
  /// Micro-units.
  package var maxCost: Int64?
  package var seed: UInt64?
  package var precision = NumericPrecision.double
  package var mitigation: [String: String] = [:]

  package init() {}
}

/// The scientific frame of a job.
package struct ExperimentSpec: Sendable, Hashable {
  package var id = ""
  package var name = ""
  package var tags: [String] = []
  package var experimentClass = ""
  package var citation = ""

  package init() {}
}

/// A job as its submitter asked for it. Immutable once accepted.
package struct JobSpec: Sendable, Hashable {
  package var schemaVersion: UInt32 = 1
  package var clientJobID = ""
  package var idempotencyKey = ""
  package var pubs: [PubSpec] = []
  package var execution = ExecutionSpec()
  package var experiment = ExperimentSpec()
  /// Jobs that have to end first, in whatever way.
  package var after: [Identifier] = []
  /// Jobs that have to succeed first; if one does not, this one is canceled.
  package var afterOK: [Identifier] = []

  package init() {}
}

/// Who asks: an authenticated identity within a project of a tenant.
package struct Principal: Sendable, Hashable {
  package var tenant: String
  package var project: String
  package var name: String

  package init(tenant: String, project: String, name: String) {
    self.tenant = tenant
    self.project = project
    self.name = name
  }
}

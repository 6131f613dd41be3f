/// What to run and how. Unset options are nil; the server fills in its defaults.
public struct JobSpec: Sendable, Hashable {
  /// Queue class asked for.
  public enum Priority: Int32, Sendable, Hashable, CaseIterable {
    /// The server chooses by predicted size.
    case automatic = 0
    /// Short jobs that a person waits for.
    case interactive = 1
    /// Everything else.
    case batch = 2
  }

  /// Publication units: programs with their parameters and observables.
  public var pubs: [Pub]
  /// Queue class asked for.
  public var priority: Priority = .automatic
  /// Makes a repeated submit find the first job; nil: drawn by the library.
  public var idempotencyKey: String?
  /// The caller's own name for the job.
  public var clientJobID: String?
  /// For example `sim.statevector`; nil: the server's default.
  public var device: String?
  /// Numbers of the amplitudes: "double" (the default) or "single".
  public var precision: String?
  /// Seed of all random numbers; nil: drawn at acceptance and stored.
  public var seed: UInt64?
  /// Longest time on the device, in seconds.
  public var maximumRunSeconds: Double?
  /// The job expires when it has not started within this many seconds.
  public var timeToLiveSeconds: Double?
  /// Name shown in lists.
  public var name: String?
  /// At most 32.
  public var tags: [String] = []
  /// Ids of jobs that have to end first, in whatever way.
  public var after: [String] = []
  /// Ids of jobs that have to succeed first; if one does not, this one is canceled.
  public var afterOK: [String] = []

  /// A job of one or more publication units.
  public init(pubs: [Pub]) { self.pubs = pubs }

  /// A job that samples one program.
  /// - Parameter shots: nil asks for no sampling.
  public init(program: String, shots: Int64? = nil, seed: UInt64? = nil, name: String? = nil) {
    var pub = Pub(program: program)
    pub.shots = shots
    pubs = [pub]
    self.seed = seed
    self.name = name
  }
}

/// Publication unit: one program with arrays of parameter values and observables that broadcast
/// against each other by NumPy's rules.
public struct Pub: Sendable, Hashable {
  /// Results to ask for.
  public struct Outputs: OptionSet, Sendable, Hashable {
    /// Bits as in `qubus.h`.
    public let rawValue: UInt32
    /// Outputs from their bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// How often each outcome was seen.
    public static let counts = Outputs(rawValue: 1)
    /// Every shot's outcome, in order.
    public static let memory = Outputs(rawValue: 2)
    /// Exact probabilities of all outcomes.
    public static let probabilities = Outputs(rawValue: 4)
    /// The final state's amplitudes.
    public static let statevector = Outputs(rawValue: 8)
    /// Exact expectation values of the observables.
    public static let expectationValues = Outputs(rawValue: 16)
  }

  /// OpenQASM 2 or 3 source; UTF-8, which the server checks.
  public var program: [UInt8]
  /// Values of the program's inputs.
  public var parameters: [Parameter] = []
  /// Observables to evaluate.
  public var observables: [Observable] = []
  /// Repetitions of each row; nil: none. The server judges every number.
  public var shots: Int64?
  /// Empty: counts when shots are set, expectation values when observables are.
  public var outputs: Outputs = []
  /// Standard error aimed at, instead of shots.
  public var targetPrecision: Double?

  /// A program as text.
  public init(program: String) { self.program = Array(program.utf8) }
  /// A program as the bytes of a file.
  public init(program: [UInt8]) { self.program = program }
}

/// Values of one input parameter of a program.
public struct Parameter: Sendable, Hashable {
  /// The input's name in the program.
  public var name: String
  /// Empty for a scalar.
  public var shape: [Int]
  /// Row-major; as many as the product of `shape`.
  public var values: [Double]

  /// One value.
  public init(_ name: String, _ value: Double) {
    self.init(name: name, shape: [], values: [value])
  }

  /// A vector of values: one row each.
  public init(_ name: String, _ values: [Double]) {
    self.init(name: name, shape: [values.count], values: values)
  }

  /// An array of any shape.
  public init(name: String, shape: [Int], values: [Double]) {
    self.name = name
    self.shape = shape
    self.values = values
  }
}

/// A weighted sum of Pauli strings.
public struct Observable: Sendable, Hashable {
  /// One Pauli string with its weight.
  public struct Term: Sendable, Hashable {
    /// Letters I, X, Y, Z; the leftmost acts on the highest qubit.
    public var pauli: String
    /// Real weight.
    public var coefficient: Double

    /// Makes a term.
    public init(_ pauli: String, _ coefficient: Double = 1) {
      self.pauli = pauli
      self.coefficient = coefficient
    }
  }

  /// The terms of the sum.
  public var terms: [Term]

  /// Makes an observable.
  public init(_ terms: [Term]) { self.terms = terms }
}

internal import ArgumentParser
internal import QubusClient

/// What to run and how; shared by `run`, `submit` and `plan`.
struct JobOptions: ParsableArguments {
  enum Priority: String, ExpressibleByArgument, CaseIterable {
    case automatic, interactive, batch

    var priority: JobSpec.Priority {
      switch self {
      case .automatic: .automatic
      case .interactive: .interactive
      case .batch: .batch
      }
    }
  }

  enum NumericPrecision: String, ExpressibleByArgument, CaseIterable {
    case single, double
  }

  // Unconditional, so that the server judges -5 too and not the parser.
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Repetitions. Without shots and without other outputs: 1024.", valueName: "count"))
  var shots: Int64?

  @Option(help: "Seed of all random numbers; without one it is drawn and reported.")
  var seed: UInt64?

  @Option(help: "Device to run on, for example sim.statevector.")
  var device: String?

  @Option(help: "Numbers of the amplitudes: complex64 (half the memory) or complex128.")
  var precision: NumericPrecision?

  @Option(help: "Name shown in lists.")
  var name: String?

  @Option(
    name: [.customLong("parameter"), .customShort("p")],
    help: ArgumentHelp(
      "Value of an input of the program; several values make one row each. May be repeated.",
      valueName: "name=value[,value...]"))
  var parameters: [ParameterArgument] = []

  @Option(
    name: .customLong("observable"),
    help: ArgumentHelp(
      "Pauli sum to evaluate, leftmost letter on the highest qubit. May be repeated.",
      valueName: "ZZ:1.0,XI:0.5"))
  var observables: [ObservableArgument] = []

  @Flag(help: "Return every shot's outcome, in order.")
  var memory = false

  @Flag(help: "Return exact probabilities.")
  var probabilities = false

  @Flag(help: "Return the final state's amplitudes.")
  var statevector = false

  @Option(help: "Queue class.")
  var priority: Priority = .automatic

  @Option(
    name: .customLong("tag"), help: "Tag shown in lists and used to filter. May be repeated.")
  var tags: [String] = []

  @Option(help: "A second submit under this key finds the first job instead of making another.")
  var idempotencyKey: String?

  @Option(
    name: .customLong("after"),
    help: ArgumentHelp(
      "Start after this job has ended, in whatever way. May be repeated.", valueName: "job"))
  var after: [String] = []

  @Option(
    name: .customLong("after-ok"),
    help: ArgumentHelp(
      "Start after this job has succeeded; if it does not, end as canceled. May be repeated.",
      valueName: "job"))
  var afterOK: [String] = []

  /// Shots of a run that asks for nothing in particular.
  static let defaultShots: Int64 = 1024

  func specification(program: [UInt8]) -> JobSpec {
    var pub = Pub(program: program)
    pub.parameters = parameters.map(\.parameter)
    pub.observables = observables.map(\.observable)
    let wantsExact = probabilities || statevector || !observables.isEmpty
    pub.shots = shots ?? (wantsExact && !memory ? nil : Self.defaultShots)
    if memory || probabilities || statevector {
      if pub.shots != nil { pub.outputs.insert(.counts) }
      if memory { pub.outputs.insert(.memory) }
      if probabilities { pub.outputs.insert(.probabilities) }
      if statevector { pub.outputs.insert(.statevector) }
      if !observables.isEmpty { pub.outputs.insert(.expectationValues) }
    }
    var spec = JobSpec(pubs: [pub])
    spec.priority = priority.priority
    spec.idempotencyKey = idempotencyKey
    spec.device = device
    spec.precision = precision?.rawValue
    spec.seed = seed
    spec.name = name
    spec.tags = tags
    spec.after = after
    spec.afterOK = afterOK
    return spec
  }
}

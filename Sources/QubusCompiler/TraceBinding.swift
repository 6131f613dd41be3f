package import QubusCircuit
package import QubusCore

/// The numbers of a list of gates for one row after another: a row costs what its changed inputs
/// do. Gives bit for bit the numbers of a list that is bound anew.
///
/// An update allocates nothing, but for gates under a `pow` other than 1 and -1.
package struct TraceBinding: Sendable {
  package private(set) var gates = BoundGateList()
  private var sources: [Source] = []
  /// Inputs that sources read, source after source.
  private var reads: [Int32] = []
  private var seen: UInt64 = 0

  /// A gate whose numbers depend on inputs.
  private struct Source: Sendable {
    /// Among the bound gates.
    var index: Int
    var application: GateApplication
    var angles: [Angle]
    var power: AngleNumbers.Power?
    var reads: Range<Int>
  }

  private enum Angle: Sendable {
    case constant(Double)
    case input(Int)
    case expression
  }

  /// - Parameter applications: parameters read inputs only.
  /// - Throws: what binding a gate without inputs throws.
  package init(_ applications: [GateApplication]) throws(QubusError) {
    let nothing = ClassicalState(bits: [], variables: [], inputs: [])
    for application in applications {
      let index = gates.gates.count
      if application.isConstant {
        try gates.append(application, nothing)
        continue
      }
      // Any angle will do: the structure follows from the gate's name.
      gates.append(placeholder: application)
      if gates.gates.count == index { continue }
      var inputs = Set<Int>()
      for expression in application.parameters { inputs.formUnion(expression.dependencies.inputs) }
      inputs.formUnion(application.exponent?.dependencies.inputs ?? [])
      let start = reads.count
      reads += inputs.sorted().map { Int32($0) }
      sources.append(
        Source(
          index: index, application: application,
          angles: application.parameters.map(Self.angle),
          power: AngleNumbers.Power(application), reads: start..<reads.count))
    }
  }

  private static func angle(_ expression: Expression) -> Angle {
    switch expression {
    case .constant(.float(let number)) where number.isFinite: .constant(number)
    case .input(let index): .input(index)
    default: .expression
    }
  }

  /// Takes over what changed since the last row that this binding saw.
  /// - Throws: as `BoundGateList.append`; the next update then does all of it again.
  package mutating func update(_ row: InputRow) throws(QubusError) {
    for place in sources.indices {
      var isStale = false
      for read in sources[place].reads where row.stamps[Int(reads[read])] > seen { isStale = true }
      if isStale { try bind(place, row.state) }
    }
    seen = row.now
  }

  /// For rows that are counted anew: the next update binds every input.
  package mutating func forget() { seen = 0 }

  private mutating func bind(_ place: Int, _ state: ClassicalState) throws(QubusError) {
    guard let power = sources[place].power else {
      try gates.rebind(sources[place].index, sources[place].application, state)
      return
    }
    var angles = (0.0, 0.0, 0.0)
    let count = sources[place].angles.count
    if count > 0 { angles.0 = try angle(place, 0, state) }
    if count > 1 { angles.1 = try angle(place, 1, state) }
    if count > 2 { angles.2 = try angle(place, 2, state) }
    gates.rebind(sources[place].index, sources[place].application.gate, angles, power)
  }

  @inline(__always)
  private func angle(
    _ place: Int, _ index: Int, _ state: ClassicalState
  ) throws(QubusError) -> Double {
    switch sources[place].angles[index] {
    case .constant(let number): return number
    case .input(let input):
      if case .float(let number) = state.inputs[input] { return number }
    case .expression: break
    }
    return try BoundGateList.angle(sources[place].application, index, state)
  }
}

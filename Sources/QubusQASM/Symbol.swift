internal import QubusCircuit

/// What a name means in a scope.
enum Symbol {
  case qubits(IndexList, isScalar: Bool)
  case bits(IndexList, isScalar: Bool)
  /// Index into the circuit's variables; local bit registers are variables, too.
  case variable(Int)
  case constant(Value)
  case input(Int)
  case gate(GateDefinition)
  /// A gate declared without a definition.
  case opaque(parameterCount: Int, qubitCount: Int)
  /// A parameter of the gate being defined, by position.
  case gateParameter(Int)

  /// How messages name the kind of thing.
  var description: String {
    switch self {
    case .qubits: "a qubit"
    case .bits: "a bit register"
    case .variable: "a variable"
    case .constant: "a constant"
    case .input: "an input parameter"
    case .gate, .opaque: "a gate"
    case .gateParameter: "a gate parameter"
    }
  }
}

/// Names and their meanings, innermost scope first.
struct Scopes {
  private struct Binding {
    var symbol: Symbol
    var level: Int
  }

  private var bindings: [Binding?] = []
  private var undo: [(name: Int, previous: Binding?)] = []
  private var marks: [Int] = []

  /// 0 holds what is built in, 1 is the program's global scope.
  var level: Int { marks.count }
  var isGlobal: Bool { level == 1 }

  func lookup(_ name: Int) -> Symbol? {
    name < bindings.count ? bindings[name]?.symbol : nil
  }

  /// - Returns: false when the name already has a meaning in this very scope.
  mutating func declare(_ name: Int, _ symbol: Symbol) -> Bool {
    while bindings.count <= name { bindings.append(nil) }
    let previous = bindings[name]
    if let previous, previous.level == level { return false }
    undo.append((name, previous))
    bindings[name] = Binding(symbol: symbol, level: level)
    return true
  }

  /// Declares what a library brings in from inside the global scope, so that the program's own
  /// declarations may replace it.
  /// - Returns: false when the program has declared the name before.
  mutating func declareReplaceable(_ name: Int, _ symbol: Symbol) -> Bool {
    while bindings.count <= name { bindings.append(nil) }
    if let previous = bindings[name], previous.level > 0 { return false }
    bindings[name] = Binding(symbol: symbol, level: 0)
    return true
  }

  mutating func push() { marks.append(undo.count) }

  mutating func pop() {
    let mark = marks.removeLast()
    while undo.count > mark {
      let entry = undo.removeLast()
      bindings[entry.name] = entry.previous
    }
  }
}

internal import QubusCircuit
internal import QubusCore

/// How a plan's numbers follow from the gates it was made of.
package struct PlanRecipe: Sendable, Hashable {
  /// The gates the plan was made of, to tell whether others have the same structure.
  var gates: [BoundGate] = []
  /// Terms of operation i: `terms[starts[i] ..< starts[i + 1]]`, in order of application.
  var terms: [RecipeTerm] = []
  var starts: [Int32] = [0]
  /// One-qubit products whose Euler angles terms take, in the same form.
  var productTerms: [RecipeTerm] = []
  var productStarts: [Int32] = [0]
  /// Numbers of constant terms: 1, 4 or 16 each.
  var constants: [Complex] = []
  /// Numbers of the circuit's constant gates, which the structure relies on, and where they lie.
  var fixedNumbers: [Double] = []
  var fixedRanges: [Range<Int>] = []

  package init() {}
}

/// One factor of an operation's numbers.
struct RecipeTerm: Sendable, Hashable {
  var action: GateTerm.Action
  var component: DiagonalComponent
  var flippedBits: UInt8
  /// Bits of the operation's matrix index.
  var bit0: UInt8 = 0
  var bit1: UInt8 = 0
  var controlMask: UInt8 = 0
  var controlValue: UInt8 = 0
  /// Of a `linear` operation: 0 is its constant, j + 1 its j-th factor.
  var slot: UInt8 = 0
  /// Index of a gate, or `~index` of the constants, or of a product.
  var source: Int32
}

extension RecipeTerm {
  var usesProduct: Bool { action == .eulerPhase || action == .eulerRotation }
}

extension PlanRecipe {
  /// Calls `body` with every gate that a term's numbers come from.
  func forEachGate(_ term: RecipeTerm, _ body: (Int) -> Void) {
    if term.usesProduct {
      let product = Int(term.source)
      for place in productStarts[product]..<productStarts[product + 1] {
        forEachGate(productTerms[Int(place)], body)
      }
    } else if term.source >= 0, term.action != .flip, term.action != .swap {
      body(Int(term.source))
    }
  }

  /// True when `list` has the structure that the plan was made for; its parameters may differ.
  package func fits(_ list: BoundGateList) -> Bool {
    guard gates == list.gates else { return false }
    var place = 0
    for range in fixedRanges {
      for index in range {
        if fixedNumbers[place].bitPattern != list.coefficients[index].bitPattern { return false }
        place += 1
      }
    }
    return true
  }

  /// Notes what the structure relies on.
  mutating func record(
    _ list: BoundGateList, _ cancellation: CancellationFlag?
  ) throws(QubusError) {
    gates = list.gates
    var last = 0..<0
    for (step, gate) in list.gates.enumerated() {
      try cancellation.poll(step)
      guard gate.isConstant, gate.coefficientCount > 0 else { continue }
      let range = gate.offset..<gate.offset + gate.coefficientCount
      // Gates without parameters share their numbers with an earlier one.
      if range.lowerBound < last.upperBound { continue }
      last = range
      fixedRanges.append(range)
      fixedNumbers.append(contentsOf: list.coefficients[range])
    }
  }
}

internal import QubusCircuit
internal import QubusCore

/// Computes the numbers of one operation from its terms.
struct BlockProduct: Sendable {
  /// Looked at on the way: one block may hold all of a circuit's gates.
  var cancellation: CancellationFlag?
  /// Row-major matrix or list of diagonal entries; large enough for every operation of the plan.
  private var entries: [Complex]

  init(_ plan: Plan, _ cancellation: CancellationFlag?) {
    self.cancellation = cancellation
    let largest = plan.operations.map(\.coefficientCount).max() ?? 0
    entries = [Complex](repeating: .zero, count: max(2 * largest, 4))
  }

  /// Writes the operation's numbers at its offset.
  /// - Throws: `execution_canceled`.
  mutating func compute(
    _ plan: Plan, _ index: Int, _ gates: BoundGateList, into raw: inout [Double]
  ) throws(QubusError) {
    let operation = plan.operations[index]
    let recipe = plan.recipe
    let terms = Int(recipe.starts[index])..<Int(recipe.starts[index + 1])
    switch operation.kind {
    case .negate, .flip, .swap: return
    case .phase:
      try multiply(count: 1, recipe, terms, gates) { _, _ in true }
      store(1, at: operation.offset, &raw)
    case .diagonal:
      let count = 1 << operation.targets.count
      try multiply(count: count, recipe, terms, gates) { term, entry in
        UInt8(entry) & term.controlMask == term.controlValue
      }
      store(count, at: operation.offset, &raw)
    case .linear:
      let count = 1 + operation.factorMask.nonzeroBitCount
      try multiply(count: count, recipe, terms, gates) { term, entry in Int(term.slot) == entry }
      store(count, at: operation.offset, &raw)
    case .real, .cross, .dense:
      let dimension = 1 << operation.targets.count
      try product(dimension, recipe.terms, recipe, terms, gates)
      storeMatrix(operation, dimension, &raw)
    }
  }

  /// Looks at the flag within a long block; the first looks are the caller's.
  @inline(__always)
  private func poll(_ place: Int, _ terms: Range<Int>) throws(QubusError) {
    let step = place - terms.lowerBound
    if step > 0, step & 0xFFF == 0 { try cancellation.check() }
  }

  /// Multiplies factors into the entries they belong to.
  @inline(__always)
  private mutating func multiply(
    count: Int, _ recipe: PlanRecipe, _ terms: Range<Int>, _ gates: BoundGateList,
    _ belongs: (RecipeTerm, Int) -> Bool
  ) throws(QubusError) {
    for entry in 0..<count { entries[entry] = .one }
    for place in terms {
      try poll(place, terms)
      let term = recipe.terms[place]
      let number = try factor(term, recipe, gates)
      for entry in 0..<count where belongs(term, entry) {
        entries[entry] = entries[entry] * number
      }
    }
  }

  private func store(_ count: Int, at offset: Int, _ raw: inout [Double]) {
    for entry in 0..<count {
      raw[offset + 2 * entry] = entries[entry].re
      raw[offset + 2 * entry + 1] = entries[entry].im
    }
  }

  private func storeMatrix(_ operation: PlanOperation, _ dimension: Int, _ raw: inout [Double]) {
    let offset = operation.offset
    switch operation.kind {
    case .real:
      for entry in 0..<dimension * dimension { raw[offset + entry] = entries[entry].re }
    case .cross:
      raw[offset] = entries[0].re
      raw[offset + 1] = entries[1].im
      raw[offset + 2] = entries[2].im
      raw[offset + 3] = entries[3].re
    case .phase, .negate, .flip, .swap, .diagonal, .linear, .dense:
      store(dimension * dimension, at: offset, &raw)
    }
  }

  /// A number of a diagonal source.
  @inline(__always)
  private mutating func factor(
    _ term: RecipeTerm, _ recipe: PlanRecipe, _ gates: BoundGateList
  ) throws(QubusError) -> Complex {
    if term.action == .eulerPhase {
      return try angles(Int(term.source), recipe, gates).phase(term.component)
    }
    if term.source < 0 { return recipe.constants[Int(~term.source)] }
    let gate = gates.gates[Int(term.source)]
    return term.component.number(flippedBits: term.flippedBits) { gates.number(gate, $0) }
  }

  /// The Euler angles of a product of one-qubit gates; what was in `entries` stays.
  private mutating func angles(
    _ product: Int, _ recipe: PlanRecipe, _ gates: BoundGateList
  ) throws(QubusError) -> EulerAngles {
    let kept = (entries[0], entries[1], entries[2], entries[3])
    let terms = Int(recipe.productStarts[product])..<Int(recipe.productStarts[product + 1])
    try self.product(2, recipe.productTerms, recipe, terms, gates)
    let angles = EulerAngles((entries[0], entries[1], entries[2], entries[3]))
    (entries[0], entries[1], entries[2], entries[3]) = kept
    return angles
  }

  /// Entry of a matrix source.
  @inline(__always)
  private static func entry(
    _ term: RecipeTerm, _ index: Int, _ dimension: Int, _ recipe: PlanRecipe,
    _ gates: BoundGateList
  ) -> Complex {
    let flip = Int(term.flippedBits) * (dimension + 1)
    if term.source < 0 { return recipe.constants[Int(~term.source) + (index ^ flip)] }
    return gates.number(gates.gates[Int(term.source)], index ^ flip)
  }

  /// The product of the terms' matrices, each on its bits of a block.
  private mutating func product(
    _ dimension: Int, _ list: [RecipeTerm], _ recipe: PlanRecipe, _ terms: Range<Int>,
    _ gates: BoundGateList
  ) throws(QubusError) {
    var isFirst = true
    for place in terms {
      try poll(place, terms)
      let term = list[place]
      if isFirst {
        isFirst = false
        if dimension == 2, term.action == .matrix1 {
          for index in 0..<4 { entries[index] = Self.entry(term, index, 2, recipe, gates) }
          continue
        }
        for index in 0..<dimension * dimension { entries[index] = .zero }
        for index in 0..<dimension { entries[index * (dimension + 1)] = .one }
      }
      try apply(term, dimension, recipe, gates)
    }
  }

  private mutating func apply(
    _ term: RecipeTerm, _ dimension: Int, _ recipe: PlanRecipe, _ gates: BoundGateList
  ) throws(QubusError) {
    let mask = Int(term.controlMask)
    let value = Int(term.controlValue)
    switch term.action {
    case .factor, .eulerPhase:
      let number = try factor(term, recipe, gates)
      for row in 0..<dimension where row & mask == value {
        for column in row * dimension..<(row + 1) * dimension {
          entries[column] = entries[column] * number
        }
      }
    case .flip:
      let bit = 1 << Int(term.bit0)
      for row in 0..<dimension where row & mask == value && row & bit == 0 {
        exchange(row, row | bit, dimension)
      }
    case .swap:
      let (bit0, bit1) = (1 << Int(term.bit0), 1 << Int(term.bit1))
      for row in 0..<dimension where row & mask == value && row & bit0 != 0 && row & bit1 == 0 {
        exchange(row, row ^ bit0 ^ bit1, dimension)
      }
    case .matrix1:
      let matrix = (
        Self.entry(term, 0, 2, recipe, gates), Self.entry(term, 1, 2, recipe, gates),
        Self.entry(term, 2, 2, recipe, gates), Self.entry(term, 3, 2, recipe, gates)
      )
      multiply(matrix, bit: 1 << Int(term.bit0), dimension, mask, value)
    case .eulerRotation:
      let angles = try angles(Int(term.source), recipe, gates)
      multiply(
        (
          Complex(angles.cosine), Complex(-angles.sine), Complex(angles.sine),
          Complex(angles.cosine)
        ), bit: 1 << Int(term.bit0), dimension, mask, value)
    case .matrix2: applyMatrix2(term, dimension, mask, value, recipe, gates)
    }
  }

  /// Applies a 2 × 2 matrix to the rows that differ in `bit` and satisfy the controls.
  private mutating func multiply(
    _ matrix: (Complex, Complex, Complex, Complex), bit: Int, _ dimension: Int, _ mask: Int,
    _ value: Int
  ) {
    for row in 0..<dimension where row & mask == value && row & bit == 0 {
      for column in 0..<dimension {
        let x = entries[row * dimension + column]
        let y = entries[(row | bit) * dimension + column]
        entries[row * dimension + column] = matrix.0 * x + matrix.1 * y
        entries[(row | bit) * dimension + column] = matrix.2 * x + matrix.3 * y
      }
    }
  }

  private mutating func exchange(_ row: Int, _ other: Int, _ dimension: Int) {
    for column in 0..<dimension {
      entries.swapAt(row * dimension + column, other * dimension + column)
    }
  }

  private mutating func applyMatrix2(
    _ term: RecipeTerm, _ dimension: Int, _ mask: Int, _ value: Int, _ recipe: PlanRecipe,
    _ gates: BoundGateList
  ) {
    let (bit0, bit1) = (1 << Int(term.bit0), 1 << Int(term.bit1))
    for row in 0..<dimension where row & mask == value && row & (bit0 | bit1) == 0 {
      let rows = (row, row | bit0, row | bit1, row | bit0 | bit1)
      for column in 0..<dimension {
        let places = (
          rows.0 * dimension + column, rows.1 * dimension + column,
          rows.2 * dimension + column, rows.3 * dimension + column
        )
        let x = (entries[places.0], entries[places.1], entries[places.2], entries[places.3])
        @inline(__always) func sum(_ row: Int) -> Complex {
          Self.entry(term, 4 * row, 4, recipe, gates) * x.0
            + Self.entry(term, 4 * row + 1, 4, recipe, gates) * x.1
            + Self.entry(term, 4 * row + 2, 4, recipe, gates) * x.2
            + Self.entry(term, 4 * row + 3, 4, recipe, gates) * x.3
        }
        let y = (sum(0), sum(1), sum(2), sum(3))
        (entries[places.0], entries[places.1]) = (y.0, y.1)
        (entries[places.2], entries[places.3]) = (y.2, y.3)
      }
    }
  }
}

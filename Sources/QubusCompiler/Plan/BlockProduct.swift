internal import QubusCircuit
internal import QubusCore

/// Where the numbers of operations come from: arrays of the plan's recipe and of a row's gates, as
/// pointers, because a copied array costs more than the numbers of a small block.
struct BlockSources {
  let terms: UnsafePointer<RecipeTerm>
  let starts: UnsafePointer<Int32>
  let productTerms: UnsafePointer<RecipeTerm>
  let productStarts: UnsafePointer<Int32>
  let constants: UnsafePointer<Complex>
  let gates: UnsafePointer<BoundGate>
  let coefficients: UnsafePointer<Double>

  /// Calls `body` while the arrays are borrowed.
  @inline(__always)
  static func borrow(
    _ recipe: PlanRecipe, _ list: BoundGateList, _ body: (BlockSources) -> Void
  ) {
    borrow(recipe.terms) { terms in
      borrow(recipe.starts) { starts in
        borrow(recipe.productTerms) { productTerms in
          borrow(recipe.productStarts) { productStarts in
            borrow(recipe.constants) { constants in
              borrow(list.gates) { gates in
                borrow(list.coefficients) { coefficients in
                  body(
                    BlockSources(
                      terms: terms, starts: starts, productTerms: productTerms,
                      productStarts: productStarts, constants: constants, gates: gates,
                      coefficients: coefficients))
                }
              }
            }
          }
        }
      }
    }
  }

  /// An empty array lends a place that nobody reads.
  @inline(__always)
  private static func borrow<T>(_ array: [T], _ body: (UnsafePointer<T>) -> Void) {
    array.withUnsafeBufferPointer { buffer in
      body(buffer.baseAddress ?? UnsafePointer(bitPattern: 64).unsafelyUnwrapped)
    }
  }

  /// Complex number `index` of a gate.
  @inline(__always)
  func number(_ gate: Int32, _ index: Int) -> Complex {
    let place = coefficients + gates[Int(gate)].offset + 2 * index
    return Complex(place[0], place[1])
  }
}

/// What `BlockProduct` needs to know of an operation.
struct BlockShape: Sendable {
  var kind: OperationKind
  var targetCount: UInt8
  var factorCount: UInt8
  var offset: Int32
  var coefficientCount: Int32

  init(_ operation: PlanOperation) {
    kind = operation.kind
    targetCount = UInt8(operation.targets.count)
    factorCount = UInt8(operation.factorMask.nonzeroBitCount)
    offset = Int32(operation.offset)
    coefficientCount = Int32(operation.coefficientCount)
  }
}

/// Computes the numbers of one operation from its terms.
struct BlockProduct {
  /// Row-major matrix or list of diagonal entries; large enough for every operation of the plan.
  let entries: UnsafeMutablePointer<Complex>
  let sources: BlockSources
  /// Where numbers go.
  let raw: UnsafeMutablePointer<Double>
  /// Looked at on the way: one block may hold all of a circuit's gates. Once it is set, numbers are
  /// of no use.
  let cancellation: CancellationFlag?

  /// Entries that a plan needs.
  static func entryCount(_ plan: Plan) -> Int {
    max(2 * (plan.operations.map(\.coefficientCount).max() ?? 0), 4)
  }

  /// Writes the operation's numbers at its offset.
  func compute(_ operation: BlockShape, _ index: Int) {
    let terms = Int(sources.starts[index])..<Int(sources.starts[index + 1])
    let offset = Int(operation.offset)
    switch operation.kind {
    case .negate, .flip, .swap: return
    case .phase:
      multiply(count: 1, terms) { _, _ in true }
      store(1, at: offset)
    case .diagonal:
      let count = 1 << Int(operation.targetCount)
      multiply(count: count, terms) { term, entry in
        UInt8(entry) & term.controlMask == term.controlValue
      }
      store(count, at: offset)
    case .linear:
      let count = 1 + Int(operation.factorCount)
      multiply(count: count, terms) { term, entry in Int(term.slot) == entry }
      store(count, at: offset)
    case .real, .cross, .dense:
      let dimension = 1 << Int(operation.targetCount)
      product(dimension, sources.terms, terms)
      storeMatrix(operation.kind, offset, dimension)
    }
  }

  /// Whether to stop, asked at every 4096th step.
  @inline(__always)
  func mustStop(_ step: Int) -> Bool {
    step & 0xFFF == 0 && cancellation?.isCanceled == true
  }

  /// The same within a block; the first look is the caller's.
  @inline(__always)
  private func mustStop(_ place: Int, _ terms: Range<Int>) -> Bool {
    place > terms.lowerBound && mustStop(place - terms.lowerBound)
  }

  /// Multiplies factors into the entries they belong to.
  @inline(__always)
  private func multiply(
    count: Int, _ terms: Range<Int>, _ belongs: (RecipeTerm, Int) -> Bool
  ) {
    for entry in 0..<count { entries[entry] = .one }
    for place in terms {
      if mustStop(place, terms) { return }
      let term = sources.terms[place]
      let number = factor(term)
      for entry in 0..<count where belongs(term, entry) {
        entries[entry] = entries[entry] * number
      }
    }
  }

  private func store(_ count: Int, at offset: Int) {
    for entry in 0..<count {
      raw[offset + 2 * entry] = entries[entry].re
      raw[offset + 2 * entry + 1] = entries[entry].im
    }
  }

  private func storeMatrix(_ kind: OperationKind, _ offset: Int, _ dimension: Int) {
    switch kind {
    case .real:
      for entry in 0..<dimension * dimension { raw[offset + entry] = entries[entry].re }
    case .cross:
      raw[offset] = entries[0].re
      raw[offset + 1] = entries[1].im
      raw[offset + 2] = entries[2].im
      raw[offset + 3] = entries[3].re
    case .phase, .negate, .flip, .swap, .diagonal, .linear, .dense:
      store(dimension * dimension, at: offset)
    }
  }

  /// A number of a diagonal source.
  @inline(__always)
  private func factor(_ term: RecipeTerm) -> Complex {
    if term.action == .eulerPhase {
      return angles(Int(term.source)).phase(term.component)
    }
    if term.source < 0 { return sources.constants[Int(~term.source)] }
    return term.component.number(flippedBits: term.flippedBits) {
      sources.number(term.source, $0)
    }
  }

  /// The Euler angles of a product of one-qubit gates; what was in `entries` stays.
  private func angles(_ product: Int) -> EulerAngles {
    let kept = (entries[0], entries[1], entries[2], entries[3])
    let terms = Int(sources.productStarts[product])..<Int(sources.productStarts[product + 1])
    self.product(2, sources.productTerms, terms)
    let angles = EulerAngles((entries[0], entries[1], entries[2], entries[3]))
    (entries[0], entries[1], entries[2], entries[3]) = kept
    return angles
  }

  /// Entry of a matrix source.
  @inline(__always)
  private func entry(_ term: RecipeTerm, _ index: Int, _ dimension: Int) -> Complex {
    let flip = Int(term.flippedBits) * (dimension + 1)
    if term.source < 0 { return sources.constants[Int(~term.source) + (index ^ flip)] }
    return sources.number(term.source, index ^ flip)
  }

  /// The product of the terms' matrices, each on its bits of a block.
  private func product(
    _ dimension: Int, _ list: UnsafePointer<RecipeTerm>, _ terms: Range<Int>
  ) {
    var isFirst = true
    for place in terms {
      if mustStop(place, terms) { return }
      let term = list[place]
      if isFirst {
        isFirst = false
        if dimension == 2, term.action == .matrix1 {
          for index in 0..<4 { entries[index] = entry(term, index, 2) }
          continue
        }
        for index in 0..<dimension * dimension { entries[index] = .zero }
        for index in 0..<dimension { entries[index * (dimension + 1)] = .one }
      }
      apply(term, dimension)
    }
  }

  private func apply(_ term: RecipeTerm, _ dimension: Int) {
    let mask = Int(term.controlMask)
    let value = Int(term.controlValue)
    switch term.action {
    case .factor, .eulerPhase:
      let number = factor(term)
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
        entry(term, 0, 2), entry(term, 1, 2),
        entry(term, 2, 2), entry(term, 3, 2)
      )
      multiply(matrix, bit: 1 << Int(term.bit0), dimension, mask, value)
    case .eulerRotation:
      let angles = angles(Int(term.source))
      multiply(
        (
          Complex(angles.cosine), Complex(-angles.sine), Complex(angles.sine),
          Complex(angles.cosine)
        ), bit: 1 << Int(term.bit0), dimension, mask, value)
    case .matrix2: applyMatrix2(term, dimension, mask, value)
    }
  }

  /// Applies a 2 × 2 matrix to the rows that differ in `bit` and satisfy the controls.
  private func multiply(
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

  private func exchange(_ row: Int, _ other: Int, _ dimension: Int) {
    for column in 0..<dimension {
      let kept = entries[row * dimension + column]
      entries[row * dimension + column] = entries[other * dimension + column]
      entries[other * dimension + column] = kept
    }
  }

  private func applyMatrix2(
    _ term: RecipeTerm, _ dimension: Int, _ mask: Int, _ value: Int
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
          entry(term, 4 * row, 4) * x.0
            + entry(term, 4 * row + 1, 4) * x.1
            + entry(term, 4 * row + 2, 4) * x.2
            + entry(term, 4 * row + 3, 4) * x.3
        }
        let y = (sum(0), sum(1), sum(2), sum(3))
        (entries[places.0], entries[places.1]) = (y.0, y.1)
        (entries[places.2], entries[places.3]) = (y.2, y.3)
      }
    }
  }
}

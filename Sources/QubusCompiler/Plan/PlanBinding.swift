internal import QubusCircuit
package import QubusCore

/// A plan's numbers for one row at a time: binding another row touches only what changed.
///
/// `update` gives bit for bit what a new binding would. It allocates nothing.
package struct PlanBinding: Sendable {
  package let plan: Plan
  package private(set) var numbers: PlanNumbers

  /// The gates' numbers that are bound now.
  private var bound: [Double]
  /// Coefficients before anything is divided out.
  private var raw: [Double]
  private let dependents: GateDependents
  private let scales: [StageScale]
  private var isOperationDirty: [Bool]
  private var isStageDirty: [Bool]
  private let shapes: [BlockShape]
  private var entries: [Complex]
  /// True when an update was canceled: what is dirty is made up for by the next.
  private var isBehind = false

  /// - Parameter gates: of the structure that the plan was made for.
  /// - Throws: `invariant_violated` when the structure differs; `execution_canceled`.
  package init(
    _ plan: Plan, _ gates: BoundGateList, cancellation: CancellationFlag? = nil
  ) throws(QubusError) {
    guard plan.recipe.fits(gates) else { throw Self.mismatch }
    self.plan = plan
    bound = gates.coefficients
    raw = [Double](repeating: 0, count: plan.coefficientCount)
    numbers = PlanNumbers(
      coefficients: raw, forms: [UInt8](repeating: 0, count: plan.operations.count),
      stageScales: [Double](repeating: 1, count: plan.stages.count))
    dependents = try GateDependents(plan, cancellation)
    var scales: [StageScale] = []
    for stage in plan.stages { scales.append(try StageScale(plan, stage, cancellation)) }
    self.scales = scales
    isOperationDirty = [Bool](repeating: false, count: plan.operations.count)
    isStageDirty = [Bool](repeating: false, count: plan.stages.count)
    shapes = plan.operations.map { BlockShape($0) }
    entries = [Complex](repeating: .zero, count: BlockProduct.entryCount(plan))
    compute(gates, cancellation) { product, shapes in
      for index in shapes.indices {
        if product.mustStop(index) { return }
        product.compute(shapes[index], index)
      }
    }
    try cancellation.check()
    // Only blocks without parameters change, so that no update has to do this again.
    try BasisChoice(plan, dependents, cancellation).apply(plan, &raw, cancellation)
    numbers.coefficients = raw
    for stage in plan.stages.indices {
      try scales[stage].apply(plan, raw: raw, &numbers, cancellation)
    }
  }

  private static var mismatch: QubusError {
    QubusError(.invariantViolated, "the gates do not have the structure of the plan")
  }

  /// Binds other numbers; the structure must be the same.
  /// - Throws: `invariant_violated` when it is not; the numbers then stay as they were.
  ///   `execution_canceled`; the numbers are then of no use until the next update.
  /// - Complexity: one comparison per gate, then linear in the operations whose gates changed.
  package mutating func update(
    _ gates: BoundGateList, cancellation: CancellationFlag? = nil
  ) throws(QubusError) {
    guard plan.recipe.fits(gates) else { throw Self.mismatch }
    // What is canceled is made up for by the next update.
    var changed = isBehind
    isBehind = true
    for (step, gate) in dependents.parametric.enumerated() {
      try cancellation.poll(step)
      let start = gates.gates[Int(gate)].offset
      let end = start + gates.gates[Int(gate)].coefficientCount
      var differs = false
      for index in start..<end
      where bound[index].bitPattern != gates.coefficients[index].bitPattern {
        bound[index] = gates.coefficients[index]
        differs = true
      }
      if !differs { continue }
      changed = true
      for place in dependents.range(gate) {
        isOperationDirty[Int(dependents.operations[place])] = true
        isStageDirty[Int(dependents.stages[place])] = true
      }
    }
    if changed { try recompute(gates, cancellation) }
    isBehind = false
  }

  /// Lends what computing operations into `raw` takes.
  @inline(__always)
  private mutating func compute(
    _ gates: BoundGateList, _ cancellation: CancellationFlag?,
    _ body: (BlockProduct, UnsafeBufferPointer<BlockShape>) -> Void
  ) {
    raw.withUnsafeMutableBufferPointer { raw in
      entries.withUnsafeMutableBufferPointer { entries in
        shapes.withUnsafeBufferPointer { shapes in
          // A plan without numbers has nowhere to write them.
          guard let raw = raw.baseAddress, let entries = entries.baseAddress else { return }
          BlockSources.borrow(plan.recipe, gates) { sources in
            let product = BlockProduct(
              entries: entries, sources: sources, raw: raw, cancellation: cancellation)
            body(product, shapes)
          }
        }
      }
    }
  }

  private mutating func recompute(
    _ gates: BoundGateList, _ cancellation: CancellationFlag?
  ) throws(QubusError) {
    // Taken out, because lending one part of this value forbids touching another.
    var numbers = PlanNumbers(coefficients: [], forms: [], stageScales: [])
    swap(&numbers, &self.numbers)
    let (stages, dirtyStages, dirty) = (plan.stages, isStageDirty, isOperationDirty)
    compute(gates, cancellation) { product, shapes in
      for stage in stages.indices where dirtyStages[stage] {
        for index in stages[stage].operations {
          if product.mustStop(index) { return }
          guard dirty[index] else { continue }
          product.compute(shapes[index], index)
          let offset = Int(shapes[index].offset)
          for place in offset..<offset + Int(shapes[index].coefficientCount) {
            numbers.coefficients[place] = product.raw[place]
          }
        }
      }
    }
    swap(&numbers, &self.numbers)
    try cancellation.check()
    try clean(stages, cancellation)
  }

  private mutating func clean(
    _ stages: [PlanStage], _ cancellation: CancellationFlag?
  ) throws(QubusError) {
    for stage in stages.indices where isStageDirty[stage] {
      try scales[stage].apply(plan, raw: raw, &numbers, cancellation)
      for index in stages[stage].operations { isOperationDirty[index] = false }
      isStageDirty[stage] = false
    }
  }
}

/// Which operations take numbers from a gate.
struct GateDependents: Sendable {
  /// Gates with parameters that some operation uses, ascending.
  private(set) var parametric: [Int32] = []
  /// Operations and their stages, grouped by gate.
  private(set) var operations: [Int32] = []
  private(set) var stages: [Int32] = []
  private var starts: [Int32]

  init(_ plan: Plan, _ cancellation: CancellationFlag?) throws(QubusError) {
    let recipe = plan.recipe
    var counts = [Int32](repeating: 0, count: recipe.gates.count + 1)
    for (step, term) in recipe.terms.enumerated() {
      try cancellation.poll(step)
      recipe.forEachGate(term) { counts[$0 + 1] += 1 }
    }
    for gate in recipe.gates.indices { counts[gate + 1] += counts[gate] }
    starts = counts
    operations = [Int32](repeating: 0, count: Int(counts[recipe.gates.count]))
    stages = operations
    var next = counts
    for (stage, span) in plan.stages.enumerated() {
      for operation in span.operations {
        try cancellation.poll(operation)
        for place in recipe.starts[operation]..<recipe.starts[operation + 1] {
          recipe.forEachGate(recipe.terms[Int(place)]) { source in
            operations[Int(next[source])] = Int32(operation)
            stages[Int(next[source])] = Int32(stage)
            next[source] += 1
          }
        }
      }
    }
    for gate in recipe.gates.indices
    where !recipe.gates[gate].isConstant && starts[gate] < starts[gate + 1] {
      parametric.append(Int32(gate))
    }
  }

  func range(_ gate: Int32) -> Range<Int> { Int(starts[Int(gate)])..<Int(starts[Int(gate) + 1]) }
}

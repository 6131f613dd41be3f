package import QubusCore

/// The downhill simplex of Nelder and Mead with coefficients that adapt to the dimension; bounds by
/// clipping. An iteration is one change of the simplex; values only, one point at a time but for
/// the first simplex and a shrinking one.
/// - Source: Gao & Han 2012, "Implementing the Nelder–Mead simplex algorithm with adaptive
///   parameters", §4; order of cases, first simplex and bounds as in SciPy 1.17
///   `_minimize_neldermead`, whose trajectory `NelderMeadTests` compares.
package struct NelderMead: Optimizer {
  package static let method = OptimizerMethod.nelderMead

  /// What the answers awaited are for.
  private enum Phase: UInt8 {
    case start, reflect, expand, contractOutside, contractInside, shrink
  }

  private var box = ParameterBox()
  private var progress = OptimizerProgress()
  private var valueTolerance = 0.0
  private var parameterTolerance = 0.0
  private var isAdaptive = false
  private var count = 0
  private var phase = Phase.start
  /// count + 1 vertices, best first once evaluated, and their values.
  private var simplex: [Double] = []
  private var values: [Double] = []
  /// The reflected point and its value, kept while another is tried.
  private var reflected: [Double] = []
  private var reflectedValue = 0.0
  /// The point tried.
  private var trial: [Double] = []
  /// Mean of all vertices but the worst; of use within a call only.
  private var centroid: [Double] = []

  init(_ settings: OptimizerSettings) {
    box = settings.box
    valueTolerance = settings["value_tolerance"]
    parameterTolerance = settings["parameter_tolerance"]
    count = settings.initial.count
    // Gao and Han's coefficients need two dimensions: in one, the shrinking one would be zero.
    isAdaptive = settings["adaptive"] == 1 && count > 1
    let edge = settings["initial_step"]
    for vertex in 0...count {
      var point = settings.initial
      if vertex > 0 {
        let index = vertex - 1
        let start = point[index]
        let moved = edge > 0 ? start + edge : start == 0 ? 0.00025 : start * 1.05
        // A step over the upper bound goes inwards instead, else the simplex would be flat.
        let inside = moved > box.upper[index] ? 2 * box.upper[index] - moved : moved
        point[index] = box.clip(inside, index)
      }
      simplex += point
    }
    values = [Double](repeating: 0, count: count + 1)
    reflected = settings.initial
    trial = settings.initial
    centroid = settings.initial
  }

  package var parameterCount: Int { count }
  package var iteration: UInt64 { progress.iteration }
  package var current: [Double] { Array(simplex.prefix(count)) }
  package var best: (parameters: [Double], value: Double)? { progress.best }
  package var ending: OptimizerEnding? { progress.ending }

  private var rows: Int {
    switch phase {
    case .start: count + 1
    case .shrink: count
    case .reflect, .expand, .contractOutside, .contractInside: 1
    }
  }

  private var points: ArraySlice<Double> {
    switch phase {
    case .start: simplex[...]
    case .shrink: simplex[count...]
    case .reflect, .expand, .contractOutside, .contractInside: trial[...]
    }
  }

  package func ask() -> OptimizerQuery {
    precondition(ending == nil, "asked after the ending")
    return OptimizerQuery(points: Array(points), rows: rows, wantsGradients: false)
  }

  package func withQuery(
    _ body: (UnsafeBufferPointer<Double>, Int, Bool) throws(QubusError) -> Void
  ) throws(QubusError) {
    precondition(ending == nil, "asked after the ending")
    try points.withUnsafeBufferPointer { (points) throws(QubusError) in
      try body(points, rows, false)
    }
  }

  package mutating func tell(
    values answers: UnsafeBufferPointer<Double>, gradients: UnsafeBufferPointer<Double>
  ) throws(QubusError) -> OptimizerIteration? {
    try progress.check(answers, rows: rows, gradients, numbers: 0)
    progress.note(answers, rows: points, of: count)
    let value = answers[0]
    switch phase {
    case .start:
      for vertex in 0...count { values[vertex] = answers[vertex] }
      sort()
      startIteration()
      return nil
    case .reflect:
      return afterReflection(value)
    case .expand:
      return value < reflectedValue ? accept(trial, value) : accept(reflected, reflectedValue)
    case .contractOutside:
      return value <= reflectedValue ? accept(trial, value) : shrink()
    case .contractInside:
      return value < values[count] ? accept(trial, value) : shrink()
    case .shrink:
      for vertex in 1...count { values[vertex] = answers[vertex - 1] }
      return finish()
    }
  }

  private mutating func afterReflection(_ value: Double) -> OptimizerIteration? {
    if value >= values[0], value < values[count - 1] { return accept(trial, value) }
    for index in 0..<count { reflected[index] = trial[index] }
    reflectedValue = value
    let dimension = Double(count)
    let contraction = isAdaptive ? 0.75 - 1 / (2 * dimension) : 0.5
    if value < values[0] {
      phase = .expand
      place(isAdaptive ? 1 + 2 / dimension : 2)
    } else if value < values[count] {
      phase = .contractOutside
      place(contraction)
    } else {
      phase = .contractInside
      place(-contraction)
    }
    return nil
  }

  /// Sets `trial` on the line from the worst vertex through the middle of the others; 1 reflects.
  private mutating func place(_ factor: Double) {
    for index in 0..<count {
      let worst = simplex[count * count + index]
      let moved = (1 + factor) * centroid[index] - factor * worst
      trial[index] = box.clip(moved, index)
    }
  }

  private mutating func accept(_ point: [Double], _ value: Double) -> OptimizerIteration? {
    for index in 0..<count { simplex[count * count + index] = point[index] }
    values[count] = value
    return finish()
  }

  private mutating func shrink() -> OptimizerIteration? {
    phase = .shrink
    let factor = isAdaptive ? 1 - 1 / Double(count) : 0.5
    for vertex in 1...count {
      for index in 0..<count {
        let best = simplex[index]
        let moved = best + factor * (simplex[vertex * count + index] - best)
        simplex[vertex * count + index] = box.clip(moved, index)
      }
    }
    return nil
  }

  private mutating func finish() -> OptimizerIteration? {
    progress.iteration += 1
    sort()
    startIteration()
    return OptimizerIteration(
      number: progress.iteration, parameters: Array(simplex.prefix(count)), value: values[0],
      gradientNorm: .nan)
  }

  /// Ends, or reflects the worst vertex.
  private mutating func startIteration() {
    var size = 0.0
    var isCollapsed = true
    for index in count..<simplex.count {
      let best = simplex[index % count]
      let distance = abs(simplex[index] - best)
      size = max(size, distance)
      // Fewer steps between two numbers than this may not shrink by the factor 1 - 1/count.
      if distance > Double(count + 4) * best.ulp { isCollapsed = false }
    }
    // Sorted, so that the last differs most.
    if size <= parameterTolerance, values[count] - values[0] <= valueTolerance {
      progress.ending = .converged
    } else if isCollapsed {
      progress.ending = .stalled
    }
    phase = .reflect
    updateCentroid()
    place(1)
  }

  private mutating func updateCentroid() {
    for index in 0..<count {
      var sum = 0.0
      for vertex in 0..<count { sum += simplex[vertex * count + index] }
      centroid[index] = sum / Double(count)
    }
  }

  /// Sorts the vertices by value, equal ones in their order. By insertion: after most iterations
  /// only the last is out of place.
  private mutating func sort() {
    for vertex in 1...count {
      var place = vertex
      while place > 0, values[place] < values[place - 1] {
        values.swapAt(place, place - 1)
        for index in 0..<count {
          simplex.swapAt(place * count + index, (place - 1) * count + index)
        }
        place -= 1
      }
    }
  }

  package init() {}

  package mutating func visitState(_ coder: inout CheckpointCoder) {
    coder.visitParameterCount(&count, of: Self.method)
    box.visitState(&coder, count: count)
    progress.visitState(&coder, count: count)
    coder.visit(&valueTolerance)
    coder.visit(&parameterTolerance)
    coder.visit(&isAdaptive)
    var stage = phase.rawValue
    coder.visit(&stage, through: Phase.shrink.rawValue)
    phase = Phase(rawValue: stage) ?? .start
    coder.visit(&simplex, count: count * (count + 1))
    coder.visit(&values, count: count + 1)
    coder.visit(&reflected, count: count)
    coder.visit(&reflectedValue)
    coder.visit(&trial, count: count)
    coder.visit(&centroid, count: count)
  }
}

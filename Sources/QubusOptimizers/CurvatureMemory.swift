/// The last steps and changes of the gradient, which model the inverse Hessian of L-BFGS.
struct CurvatureMemory: Sendable {
  private var count = 0
  private var capacity = 0
  /// Pairs stored, and the place of the oldest.
  private var stored = 0
  private var first = 0
  /// `capacity` rows each, used as rings.
  private var steps: [Double] = []
  private var changes: [Double] = []
  /// One number per pair, of use within a call only.
  private var products: [Double] = []
  private var weights: [Double] = []

  init() {}

  init(count: Int, capacity: Int) {
    self.count = count
    self.capacity = capacity
    steps = [Double](repeating: 0, count: capacity * count)
    changes = steps
    products = [Double](repeating: 0, count: capacity)
    weights = products
  }

  var isEmpty: Bool { stored == 0 }

  mutating func removeAll() {
    stored = 0
    first = 0
  }

  /// Keeps the pair of two points; the oldest gives way.
  mutating func append(
    from point: [Double], _ gradient: [Double], to next: [Double],
    _ nextGradient: UnsafeBufferPointer<Double>
  ) {
    if stored == capacity {
      first = (first + 1) % capacity
      stored -= 1
    }
    let row = (first + stored) % capacity * count
    var product = 0.0
    var square = 0.0
    for index in 0..<count {
      let step = next[index] - point[index]
      let change = nextGradient[index] - gradient[index]
      steps[row + index] = step
      changes[row + index] = change
      product += step * change
      square += change * change
    }
    // A pair without positive curvature would make the model indefinite.
    if Self.isUsable(product, square) { stored += 1 }
  }

  private static func isUsable(_ product: Double, _ square: Double) -> Bool {
    product > 2.2e-16 * square && product.isFinite && square.isFinite
  }

  /// Writes -H·gradient over the free components, and zero elsewhere: the two-loop recursion, with
  /// the identity scaled by the newest usable pair as its start.
  mutating func direction(
    into result: inout [Double], along gradient: [Double], where isFree: [Bool]
  ) {
    for index in 0..<count { result[index] = isFree[index] ? -gradient[index] : 0 }
    var scale = 0.0
    for age in 0..<stored {
      let pair = (first + stored - 1 - age) % capacity
      let row = pair * count
      var product = 0.0
      var square = 0.0
      var along = 0.0
      for index in 0..<count where isFree[index] {
        product += steps[row + index] * changes[row + index]
        square += changes[row + index] * changes[row + index]
        along += steps[row + index] * result[index]
      }
      products[pair] = Self.isUsable(product, square) ? product : 0
      guard products[pair] > 0 else { continue }
      if scale == 0 { scale = product / square }
      let weight = along / product
      weights[pair] = weight
      for index in 0..<count where isFree[index] {
        result[index] -= weight * changes[row + index]
      }
    }
    guard scale > 0 else { return }
    for index in 0..<count { result[index] *= scale }
    for age in 0..<stored {
      let pair = (first + age) % capacity
      guard products[pair] > 0 else { continue }
      let row = pair * count
      var along = 0.0
      for index in 0..<count where isFree[index] { along += changes[row + index] * result[index] }
      let weight = weights[pair] - along / products[pair]
      for index in 0..<count where isFree[index] {
        result[index] += weight * steps[row + index]
      }
    }
  }

  mutating func visitState(_ coder: inout CheckpointCoder, count: Int) {
    self.count = count
    coder.visit(&capacity, through: 32)
    coder.require(capacity > 0, "it has no memory")
    coder.visit(&stored, through: capacity)
    coder.visit(&first, through: max(capacity, 1) - 1)
    coder.visit(&steps, count: capacity * count)
    coder.visit(&changes, count: capacity * count)
    if coder.failure == nil {
      products = [Double](repeating: 0, count: capacity)
      weights = products
    }
  }
}

internal import CQubusKernels
internal import QubusCompiler

/// One thread's place for what it resolves for a chunk.
struct ResolutionScratch<Real: BinaryFloatingPoint> {
  /// The operations to apply.
  let operations: UnsafeMutablePointer<qk_op>
  /// All numbers of the plan, which the operations' offsets count from.
  let coefficients: UnsafeMutablePointer<Real>
  /// Where this thread's own numbers start behind them.
  let start: Int
}

/// What all chunks of a stage share while it runs.
struct StageNumbers {
  let operations: UnsafePointer<StageOperation>
  /// The plan's numbers and sorted diagonals in double precision.
  let numbers: UnsafePointer<Double>
  let scale: Double
}

extension PreparedStage {
  /// Writes the operations of the chunk whose outer bits are `base`.
  /// - Returns: how many there are.
  @inline(__always)
  func resolve<Real: BinaryFloatingPoint>(
    base: UInt64, _ shared: StageNumbers, _ scratch: ResolutionScratch<Real>
  ) -> Int {
    var scale = Amplitude(shared.scale, 0)
    var count = 0
    var complexAt = -1
    var realAt = -1
    for index in operations {
      let operation = shared.operations + index
      if base & operation.pointee.outerMask != operation.pointee.outerValue { continue }
      switch operation.pointee.resolution {
      case .fixed:
        scratch.operations[count] = operation.pointee.operation
      case .phaseScalar:
        scale = scale.times(Amplitude(shared.numbers, operation.pointee.source))
        continue
      case .negateScalar:
        scale = -scale
        continue
      case .diagonalScalar:
        let entry = Int(base.extracted(by: operation.pointee.outerBits))
        scale = scale.times(Amplitude(shared.numbers, operation.pointee.source + 2 * entry))
        continue
      case .diagonal:
        scratch.operations[count] = operation.pointee.operation
        let entry = Int(base.extracted(by: operation.pointee.outerBits))
        let width = 2 << Int(operation.pointee.operation.target_count)
        scratch.operations[count].offset = UInt32(operation.pointee.source + entry * width)
      case .linearScalar:
        scale = scale.times(linearScale(operation, base, shared))
        continue
      case .linear:
        scratch.operations[count] = operation.pointee.operation
        resolveLinear(operation, base, shared, scratch, at: count)
      }
      if index == complexFold { complexAt = count }
      if index == realFold { realAt = count }
      count += 1
    }
    if scale != Amplitude(1, 0) { apply(scale, &count, complexAt, realAt, scratch) }
    return count
  }

  /// A linear operation's scale with the outer factors that are set in `base`.
  @inline(__always)
  private func linearScale(
    _ operation: UnsafePointer<StageOperation>, _ base: UInt64, _ shared: StageNumbers
  ) -> Amplitude {
    let source = operation.pointee.source
    var scale = Amplitude(shared.numbers, source)
    var rest = operation.pointee.outerBits & base
    while rest != 0 {
      let bit = rest & ~(rest - 1)
      let place = (operation.pointee.factorMask & (bit - 1)).nonzeroBitCount
      scale = scale.times(Amplitude(shared.numbers, source + 2 + 2 * place))
      rest &= rest - 1
    }
    return scale
  }

  /// Writes the scale and the local factors of a linear operation into the scratch.
  private func resolveLinear<Real: BinaryFloatingPoint>(
    _ operation: UnsafePointer<StageOperation>, _ base: UInt64, _ shared: StageNumbers,
    _ scratch: ResolutionScratch<Real>, at count: Int
  ) {
    let source = operation.pointee.source
    let place = scratch.start + operation.pointee.scratch
    let scale = linearScale(operation, base, shared)
    let target = scratch.coefficients + place
    target[0] = Real(scale.x)
    target[1] = Real(scale.y)
    var rest = operation.pointee.factorMask
    var (from, to) = (source + 2, 2)
    while rest != 0 {
      if rest & ~(rest - 1) & operation.pointee.outerBits == 0 {
        target[to] = scratch.coefficients[from]
        target[to + 1] = scratch.coefficients[from + 1]
        to += 2
      }
      from += 2
      rest &= rest - 1
    }
    scratch.operations[count].offset = UInt32(place)
  }

  /// Multiplies a scale into an operation that takes it, or adds one.
  private func apply<Real: BinaryFloatingPoint>(
    _ scale: Amplitude, _ count: inout Int, _ complexAt: Int, _ realAt: Int,
    _ scratch: ResolutionScratch<Real>
  ) {
    let place = scratch.start + foldScratch
    let target = scratch.coefficients + place
    if complexAt >= 0 {
      let operation = scratch.operations + complexAt
      let source = scratch.coefficients + Int(operation.pointee.offset)
      let reals = StagePreparation.reals(operation.pointee)
      let isLinear = operation.pointee.kind == OperationKind.linear.rawValue
      let scaled = isLinear ? 2 : reals
      for index in stride(from: 0, to: reals, by: 2) {
        var number = Amplitude(Double(source[index]), Double(source[index + 1]))
        if index < scaled { number = scale.times(number) }
        target[index] = Real(number.x)
        target[index + 1] = Real(number.y)
      }
      operation.pointee.offset = UInt32(place)
    } else if realAt >= 0 && scale.y == 0 {
      let operation = scratch.operations + realAt
      let source = scratch.coefficients + Int(operation.pointee.offset)
      for index in 0..<StagePreparation.reals(operation.pointee) {
        target[index] = Real(scale.x * Double(source[index]))
      }
      operation.pointee.form = 0
      operation.pointee.offset = UInt32(place)
    } else {
      var operation = qk_op()
      operation.kind = OperationKind.phase.rawValue
      operation.offset = UInt32(place)
      target[0] = Real(scale.x)
      target[1] = Real(scale.y)
      scratch.operations[count] = operation
      count += 1
    }
  }
}

extension Amplitude {
  /// The complex number at `place`.
  @inline(__always)
  init(_ numbers: UnsafePointer<Double>, _ place: Int) {
    self.init(numbers[place], numbers[place + 1])
  }
}

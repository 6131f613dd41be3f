package import QubusCore
package import QubusEngine
internal import QubusJobs
internal import QubusSimulator
package import QubusWire

/// The way of a step through the transport but for the socket: frames in, `StepCall` out;
/// `StepResult` in, frames out. Its memory is used again by every step, so that one which repeats
/// the sizes of an earlier one allocates nothing. Used by one thread at a time.
package final class StepExchange {
  private let scanner: StepScanner
  /// The answer written last.
  package let answer = StepAnswerFrames()
  private var numbers = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  private var offsets: [UInt64] = []
  private var keys: [UInt64] = []
  private var values: [UInt64] = []

  /// Bytes of numbers kept for the next step, however short it is.
  private static let keptBytes = 1 << 20
  /// Words kept for the next counts; more are given back once sent.
  private static let keptWords = 64 << 10

  package init(limits: Limits) {
    scanner = StepScanner(limits: limits)
  }

  deinit { numbers.deallocate() }

  /// nil: the general path has the word.
  package func read(
    envelope: UnsafeRawBufferPointer, body: UnsafeRawBufferPointer,
    numbers: UnsafeRawBufferPointer
  ) -> StepScanner.Scan? {
    scanner.scan(envelope: envelope, body: body, numbers: numbers)
  }

  /// The same bytes at an address fit for numbers; valid until the next call.
  package func aligned(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    guard let base = bytes.baseAddress,
      UInt(bitPattern: base) % UInt(MemoryLayout<Double>.alignment) != 0
    else { return bytes }
    if numbers.count < bytes.count || numbers.count > max(Self.keptBytes, 4 * bytes.count) {
      numbers.deallocate()
      numbers = .allocate(byteCount: bytes.count, alignment: 64)
    }
    numbers.copyMemory(from: bytes)
    return UnsafeRawBufferPointer(rebasing: numbers[..<bytes.count])
  }

  package static func call(_ message: StepMessage, _ tag: StepTag) -> StepCall {
    StepCall(
      session: message.session,
      order: StepOrder(
        sequence: message.sequence, rows: message.rows,
        outputs: StepOutputs(rawValue: message.outputs), shots: message.shots,
        targetError: message.targetError),
      columns: message.columns, checksum: message.checksum, tag: tag)
  }

  /// Writes the FINAL into `answer`, which points into `result` until the next one is written.
  /// - Parameters:
  ///   - outputs: as asked for.
  ///   - checksums: of the arrays, where they were computed before.
  package func write(
    callID: UInt64, outputs: UInt32, _ result: StepResult, _ checksums: StepChecksums? = nil
  ) {
    let numbers = result.answer
    let (rows, observables) = (result.rows, result.observables)
    var response = StepAnswerFrames.Response()
    response.sequence = result.sequence
    response.shotsUsed = numbers.shotsUsed
    response.deviceNanoseconds = result.deviceNanoseconds
    response.wasRepeated = result.wasRepeated
    response.wasRebuilt = result.wasRebuilt
    response.normDrift = numbers.normDrift
    answer.begin(callID: callID)
    if !numbers.values.isEmpty {
      response.arrays |= StepOutputs.values.rawValue
      answer.attach(
        .float64, rows, observables, bytes: UnsafeRawBufferPointer(numbers.values), isLasting: true,
        checksum: checksums?.values)
    }
    if !numbers.standardErrors.isEmpty {
      response.arrays |= Self.standardErrors
      answer.attach(
        .float64, rows, observables, bytes: UnsafeRawBufferPointer(numbers.standardErrors),
        isLasting: true, checksum: checksums?.standardErrors)
    }
    // Of a program without parameters there is a gradient, too, without an element.
    let hasEmptyGradient = result.columns == 0 && outputs & StepOutputs.gradients.rawValue != 0
    if !numbers.gradients.isEmpty || hasEmptyGradient {
      response.arrays |= StepOutputs.gradients.rawValue
      answer.attach(
        .float64, rows, observables, result.columns,
        bytes: UnsafeRawBufferPointer(numbers.gradients),
        isLasting: true, checksum: checksums?.gradients)
    }
    if !numbers.counts.isEmpty {
      response.arrays |= StepOutputs.counts.rawValue
      attach(numbers.counts, bitCount: result.bitCount)
    }
    if !numbers.amplitudes.isEmpty {
      response.arrays |= StepOutputs.stateVector.rawValue
      answer.attach(
        .complex128, rows, 1 << result.qubitCount,
        bytes: UnsafeRawBufferPointer(numbers.amplitudes),
        isLasting: true, checksum: checksums?.amplitudes)
    }
    answer.finish(response)
  }

  /// Bit of the wire's mask; comes with sampled values by itself.
  private static let standardErrors: UInt32 = 16

  private func attach(_ counts: [Counts], bitCount: Int) {
    for list in [\StepExchange.offsets, \.keys, \.values] {
      self[keyPath: list].removeAll(keepingCapacity: self[keyPath: list].count <= Self.keptWords)
    }
    offsets.append(0)
    for row in counts {
      keys.append(contentsOf: row.keys)
      values.append(contentsOf: row.values)
      offsets.append(UInt64(values.count))
    }
    // The arrays stay as they are until the next counts: what points to them stays valid.
    let words = max(1, (bitCount + 63) / 64)
    offsets.withUnsafeBytes { answer.attach(.uint64, offsets.count, bytes: $0) }
    keys.withUnsafeBytes { answer.attach(.uint64, values.count, words, bytes: $0) }
    values.withUnsafeBytes { answer.attach(.uint64, values.count, bytes: $0) }
  }
}

internal import CQubusProto
package import QubusEngine
internal import QubusSimulator

/// CRC-32C of a large answer's arrays, computed by the thread that evaluated it: the transport
/// serves others in that time.
package struct StepChecksums: Sendable, Hashable {
  package let values: UInt32
  package let standardErrors: UInt32
  package let gradients: UInt32
  package let amplitudes: UInt32

  /// Bytes from which on it pays: about 30 µs of one thread.
  package static let largeBytes = 256 << 10

  /// nil for a small answer.
  package init?(ofLarge result: StepResult) {
    let answer = result.answer
    let count =
      answer.values.count + answer.standardErrors.count + answer.gradients.count
      + answer.amplitudes.count
    guard count * 8 >= Self.largeBytes else { return nil }
    values = Self.checksum(answer.values)
    standardErrors = Self.checksum(answer.standardErrors)
    gradients = Self.checksum(answer.gradients)
    amplitudes = Self.checksum(answer.amplitudes)
  }

  private static func checksum(_ numbers: UnsafeMutableBufferPointer<Double>) -> UInt32 {
    let bytes = UnsafeRawBufferPointer(numbers)
    return qubus_crc32c(0, bytes.baseAddress, bytes.count)
  }
}

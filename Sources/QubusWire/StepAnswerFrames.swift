internal import CQubusProto
internal import QubusCore
package import QubusJobs

/// The FINAL of a Step, written into memory that the next one uses again: the same bytes that
/// `Envelope` and `MessageBuilder` give, without an allocation. Used by one thread at a time.
package final class StepAnswerFrames {
  /// Field for field `StepResponse` of `proto/session.proto`.
  package struct Response: Sendable, Hashable {
    package var sequence: UInt64 = 0
    package var arrays: UInt32 = 0
    package var shotsUsed: UInt64 = 0
    package var deviceNanoseconds: UInt64 = 0
    package var wasRepeated = false
    package var wasRebuilt = false
    package var normDrift = 0.0

    package init() {}
  }

  private var envelopeBytes = ReusedBytes(capacity: 512)
  private var bodyBytes = ReusedBytes(capacity: 128)
  /// In order; they point to memory of whoever attached them.
  package private(set) var attachments: [UnsafeRawBufferPointer] = []

  private var lasting: UInt32 = 0

  package init() { attachments.reserveCapacity(8) }

  /// Whether an attachment's memory stays as it is for as long as the answer is held.
  package func isLasting(_ index: Int) -> Bool { lasting & 1 << UInt32(index) != 0 }

  /// Valid until the next `begin`.
  package var envelope: UnsafeRawBufferPointer { envelopeBytes.bytes }
  package var body: UnsafeRawBufferPointer { bodyBytes.bytes }

  package func begin(callID: UInt64) {
    attachments.removeAll(keepingCapacity: true)
    lasting = 0
    envelopeBytes.clear()
    bodyBytes.clear()
    envelopeBytes.field(0x08, UInt64(Versions.protocol))
    envelopeBytes.field(0x10, UInt64(MessageKind.final.rawValue))
    envelopeBytes.field(0x18, callID)
  }

  /// An array of one to three dimensions, row-major.
  /// - Parameters:
  ///   - isLasting: the memory belongs to what is answered, not to whoever writes; see `isLasting`.
  ///   - checksum: CRC-32C of the bytes where it was computed before.
  package func attach(
    _ dataType: DataType, _ rows: Int, _ columns: Int? = nil, _ depth: Int? = nil,
    bytes: UnsafeRawBufferPointer, isLasting: Bool = false, checksum: UInt32? = nil
  ) {
    let shape = (UInt64(rows), UInt64(columns ?? 0), UInt64(depth ?? 0))
    let rank = depth != nil ? 3 : columns != nil ? 2 : 1
    let count = UInt64(bytes.count)
    let checksum = checksum ?? qubus_crc32c(0, bytes.baseAddress, bytes.count)
    if isLasting { lasting |= 1 << UInt32(attachments.count) }
    var shapeBytes = ReusedBytes.varintBytes(shape.0)
    if rank > 1 { shapeBytes += ReusedBytes.varintBytes(shape.1) }
    if rank > 2 { shapeBytes += ReusedBytes.varintBytes(shape.2) }
    let size =
      2 + 2 + shapeBytes + (count == 0 ? 0 : 1 + ReusedBytes.varintBytes(count))
      + (checksum == 0 ? 0 : 5)
    envelopeBytes.byte(0x62)
    envelopeBytes.varint(UInt64(size))
    envelopeBytes.field(0x08, UInt64(dataType.rawValue))
    envelopeBytes.byte(0x12)
    envelopeBytes.varint(UInt64(shapeBytes))
    envelopeBytes.varint(shape.0)
    if rank > 1 { envelopeBytes.varint(shape.1) }
    if rank > 2 { envelopeBytes.varint(shape.2) }
    envelopeBytes.field(0x18, count)
    if checksum != 0 {
      envelopeBytes.byte(0x25)
      envelopeBytes.fixed32(checksum)
    }
    attachments.append(bytes)
  }

  package func finish(_ response: Response) {
    bodyBytes.field(0x08, response.sequence)
    bodyBytes.field(0x10, UInt64(response.arrays))
    bodyBytes.field(0x18, response.shotsUsed)
    bodyBytes.field(0x20, response.deviceNanoseconds)
    bodyBytes.field(0x28, response.wasRepeated ? 1 : 0)
    bodyBytes.field(0x30, response.wasRebuilt ? 1 : 0)
    if response.normDrift.bitPattern != 0 {
      bodyBytes.byte(0x39)
      bodyBytes.fixed64(response.normDrift.bitPattern)
    }
  }
}

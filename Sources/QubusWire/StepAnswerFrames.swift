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

  package init() { attachments.reserveCapacity(8) }

  /// Valid until the next `begin`.
  package var envelope: UnsafeRawBufferPointer { envelopeBytes.bytes }
  package var body: UnsafeRawBufferPointer { bodyBytes.bytes }

  package func begin(callID: UInt64) {
    attachments.removeAll(keepingCapacity: true)
    envelopeBytes.clear()
    bodyBytes.clear()
    envelopeBytes.field(0x08, UInt64(Versions.protocol))
    envelopeBytes.field(0x10, UInt64(MessageKind.final.rawValue))
    envelopeBytes.field(0x18, callID)
  }

  package func attach(_ dataType: DataType, _ extent: Int, _ bytes: UnsafeRawBufferPointer) {
    attach(dataType, (UInt64(extent), 0, 0), rank: 1, bytes)
  }

  package func attach(
    _ dataType: DataType, _ rows: Int, _ columns: Int, _ bytes: UnsafeRawBufferPointer
  ) {
    attach(dataType, (UInt64(rows), UInt64(columns), 0), rank: 2, bytes)
  }

  package func attach(
    _ dataType: DataType, _ rows: Int, _ columns: Int, _ depth: Int,
    _ bytes: UnsafeRawBufferPointer
  ) {
    attach(dataType, (UInt64(rows), UInt64(columns), UInt64(depth)), rank: 3, bytes)
  }

  private func attach(
    _ dataType: DataType, _ shape: (UInt64, UInt64, UInt64), rank: Int,
    _ bytes: UnsafeRawBufferPointer
  ) {
    let count = UInt64(bytes.count)
    let checksum = qubus_crc32c(0, bytes.baseAddress, bytes.count)
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

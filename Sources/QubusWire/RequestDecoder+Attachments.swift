internal import CQubusProto
package import QubusCore
internal import QubusJobs

extension RequestDecoder {
  /// Refuses attachments that the envelope and the frames do not agree on.
  /// - Parameter frames: those after the body.
  /// - Throws: `invalid_attachment`.
  package func attachmentCount(
    _ envelope: Envelope, frames: Int, _ method: Method
  ) throws(QubusError) {
    let allowed = method.declaration.attachments
    let limit =
      allowed.lowerBound == allowed.upperBound
      ? "\(allowed.lowerBound)" : "\(allowed.lowerBound) to \(allowed.upperBound)"
    guard allowed.contains(envelope.attachments.count), allowed.contains(frames) else {
      throw .field(
        .invalidAttachment, "attachments",
        allowed.upperBound == 0
          ? "\(method.rawValue) takes none"
          : "\(envelope.attachments.count) described, \(frames) sent with \(method.rawValue)",
        limit: limit)
    }
    guard envelope.attachments.count == frames else {
      throw .field(
        .invalidAttachment, "attachments",
        "\(envelope.attachments.count) described, \(frames) sent", limit: limit)
    }
  }

  /// Checks an array of FLOAT64 against its descriptor.
  /// - Returns: its shape, all factors at most 2^40, their product the number of elements.
  /// - Throws: `invalid_attachment`, `attachment_checksum_mismatch`.
  func checkNumbers(
    _ descriptor: AttachmentDescriptor, _ frame: [UInt8], index: Int, ranks: ClosedRange<Int>
  ) throws(QubusError) -> [Int] {
    let path = "attachments[\(index)]"
    guard descriptor.dataType == .float64 else {
      throw .field(
        .invalidAttachment, "\(path).data_type", "type \(descriptor.dataType.rawValue) was sent",
        limit: "FLOAT64 (4)")
    }
    guard ranks.contains(descriptor.shape.count) else {
      throw .field(
        .invalidAttachment, "\(path).shape", "has \(descriptor.shape.count) dimensions",
        limit: ranks.count == 1
          ? "\(ranks.lowerBound)" : "\(ranks.lowerBound) or \(ranks.upperBound)")
    }
    var elements: UInt64 = 1
    for extent in descriptor.shape {
      let (product, overflow) = elements.multipliedReportingOverflow(by: extent)
      guard extent <= 1 << 40, !overflow, product <= 1 << 40 else {
        throw .field(
          .invalidAttachment, "\(path).shape", "\(descriptor.shape) is too large",
          limit: "\(1 << 40)")
      }
      elements = product
    }
    guard descriptor.bytes == elements * 8, frame.count == Int(descriptor.bytes) else {
      throw .field(
        .invalidAttachment, "\(path).bytes",
        "shape \(descriptor.shape) needs \(elements * 8) bytes; \(descriptor.bytes) were "
          + "announced, \(frame.count) sent")
    }
    let checksum = frame.withUnsafeBytes { qubus_crc32c(0, $0.baseAddress, $0.count) }
    guard checksum == descriptor.crc32c else {
      throw .field(
        .attachmentChecksumMismatch, "\(path).crc32c",
        "the frame's is \(checksum), not \(descriptor.crc32c)")
    }
    return descriptor.shape.map { Int($0) }
  }

  /// A vector of numbers.
  func numbers(
    _ envelope: Envelope, _ frames: [[UInt8]], index: Int
  ) throws(QubusError) -> [Double] {
    let frame = frames[2 + index]
    _ = try checkNumbers(envelope.attachments[index], frame, index: index, ranks: 1...1)
    return frame.withUnsafeBytes { raw in
      (0..<raw.count / 8).map {
        Double(
          bitPattern: UInt64(
            littleEndian: raw.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self)))
      }
    }
  }
}

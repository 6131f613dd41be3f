internal import QubusJobs
internal import QubusWire

/// A raw frame and what describes it.
struct Attachment: Sendable {
  let descriptor: AttachmentDescriptor
  let frame: [UInt8]

  /// A chunk of an array: `frame` holds whole elements, or bytes when it does not.
  init(_ dataType: DataType, _ frame: [UInt8]) {
    let isWhole = frame.count % dataType.elementBytes == 0
    self.frame = frame
    descriptor = AttachmentDescriptor(
      dataType: isWhole ? dataType : .uint8,
      shape: [UInt64(isWhole ? frame.count / dataType.elementBytes : frame.count)], frame: frame)
  }
}

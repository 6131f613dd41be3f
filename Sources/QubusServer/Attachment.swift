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

  /// A whole array.
  init(_ numbers: some Collection<Double>, shape: [Int]) {
    frame = Array(numbers).withUnsafeBytes { [UInt8]($0) }
    descriptor = AttachmentDescriptor(
      dataType: .float64, shape: shape.map { UInt64($0) }, frame: frame)
  }
}

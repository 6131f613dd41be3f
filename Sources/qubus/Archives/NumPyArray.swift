internal import QubusClient

/// Arrays as files of NumPy, format 1.0: `numpy.lib.format` documents it.
enum NumPyArray {
  private static let mark: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]
  /// Data begin at a multiple of it.
  private static let alignment = 64

  static func encode(_ array: JobResult.Array) -> [UInt8] {
    let sizes = array.shape.map(String.init)
    let shape = sizes.count == 1 ? "(\(sizes[0]),)" : "(\(sizes.joined(separator: ", ")))"
    let text =
      "{'descr': '\(descriptor(array.type))', 'fortran_order': False, 'shape': \(shape), }"
    let used = mark.count + 2 + text.utf8.count + 1
    let padding = (alignment - used % alignment) % alignment
    let header = text + String(repeating: " ", count: padding) + "\n"
    var bytes = LittleEndianBytes(capacity: used + padding + array.bytes.count)
    bytes.append(mark)
    bytes.append(UInt16(header.utf8.count))
    bytes.append(Array(header.utf8))
    bytes.append(array.bytes)
    return bytes.bytes
  }

  /// The numbers behind the header; nil when there is none.
  static func data(_ file: [UInt8]) -> [UInt8]? {
    guard file.starts(with: mark), file.count >= mark.count + 2 else { return nil }
    let start = mark.count + 2 + Int(file[mark.count]) + Int(file[mark.count + 1]) << 8
    return start <= file.count ? Array(file[start...]) : nil
  }

  private static func descriptor(_ type: JobResult.Array.ElementType) -> String {
    switch type {
    case .uint8: "|u1"
    case .uint64: "<u8"
    case .int64: "<i8"
    case .float64: "<f8"
    case .complex128: "<c16"
    }
  }
}

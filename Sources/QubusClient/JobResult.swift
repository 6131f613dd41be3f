internal import CQubus

/// The result of a job: named arrays for each publication unit, with manifest and provenance.
public final class JobResult: Sendable {
  /// A named array; contiguous and row-major; a copy of the numbers.
  public struct Array: Sendable {
    /// `counts.keys`, `memory`, `probabilities`, `statevector`, `expectation_values`, …
    public let name: String
    /// The publication unit it belongs to.
    public let pub: Int
    /// Lengths of the dimensions; empty for a scalar.
    public let shape: [Int]
    /// Type of the elements.
    public let type: ElementType
    /// The raw numbers, little-endian.
    public let bytes: [UInt8]

    /// Element type of an array.
    public enum ElementType: Int32, Sendable, Hashable {
      /// Unsigned bytes.
      case uint8 = 1
      /// Unsigned 64-bit integers.
      case uint64 = 2
      /// Signed 64-bit integers.
      case int64 = 3
      /// Double-precision numbers.
      case float64 = 4
      /// Pairs of double-precision numbers, real part first.
      case complex128 = 5
    }

    /// The numbers of a `float64` array, or real and imaginary parts in turn of a `complex128` one;
    /// empty for other types.
    public var doubles: [Double] {
      guard type == .float64 || type == .complex128 else { return [] }
      return bytes.withUnsafeBytes { raw in
        (0..<raw.count / 8).map {
          raw.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self)
        }
      }
    }
  }

  private let handle: Handle

  init(_ handle: Handle) { self.handle = handle }

  /// True when the job was canceled and this is what it had.
  public var isPartial: Bool { qubus_result_is_partial(handle.pointer) != 0 }

  /// Names, types, shapes, sizes and hashes of the arrays (message ResultManifest).
  public var manifest: JSONValue {
    get throws(ClientError) {
      try json(String(cString: qubus_result_manifest_json(handle.pointer)))
    }
  }

  /// Everything needed to run it again bit for bit (message Provenance).
  public var provenance: JSONValue {
    get throws(ClientError) {
      try json(String(cString: qubus_result_provenance_json(handle.pointer)))
    }
  }

  /// The job as it was at its end (message Job).
  public var job: JSONValue {
    get throws(ClientError) {
      try json(String(cString: qubus_result_job_json(handle.pointer)))
    }
  }

  /// How often each outcome was seen in one row; keys have the highest classical bit leftmost.
  /// - Parameter row: row-major index of the broadcast parameters.
  /// - Throws: `unknown_result_item` when no counts were asked for.
  public func counts(pub: Int = 0, row: Int = 0) throws(ClientError) -> [String: UInt64] {
    var result: [String: UInt64] = [:]
    for (bits, count) in try sortedCounts(pub: pub, row: row) { result[bits] = count }
    return result
  }

  /// As `counts`, in the order of the result (by outcome).
  public func sortedCounts(
    pub: Int = 0, row: Int = 0
  ) throws(ClientError) -> [(bits: String, count: UInt64)] {
    let pub = try index32(pub, "pub")
    let row = try index64(row, "row")
    var entries: UInt64 = 0
    var bitCount: UInt32 = 0
    try callLibrary { qubus_result_counts_size(handle.pointer, pub, row, &entries, &bitCount, $0) }
    var characters = [CChar](repeating: 0, count: Int(bitCount) + 1)
    var result: [(bits: String, count: UInt64)] = []
    result.reserveCapacity(Int(entries))
    for index in 0..<entries {
      var count: UInt64 = 0
      try callLibrary {
        qubus_result_counts_entry(
          handle.pointer, pub, row, index, &characters, UInt64(characters.count), &count, $0)
      }
      let bits = String(
        decoding: characters.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
      result.append((bits, count))
    }
    return result
  }

  /// Every array of the result.
  public var arrays: [Array] {
    get throws(ClientError) {
      var result: [Array] = []
      for index in 0..<qubus_result_array_count(handle.pointer) {
        result.append(try array { qubus_result_array(handle.pointer, index, $0, $1) })
      }
      return result
    }
  }

  /// The array of this name.
  /// - Throws: `unknown_result_item`.
  public func array(_ name: String, pub: Int = 0) throws(ClientError) -> Array {
    let pub = try index32(pub, "pub")
    return try array { out, error in
      name.withCString { qubus_result_find(handle.pointer, pub, $0, out, error) }
    }
  }

  private func array(
    _ body: (UnsafeMutablePointer<qubus_array>, UnsafeMutablePointer<qubus_error>) -> Int32
  ) throws(ClientError) -> Array {
    var found = qubus_array()
    found.struct_size = UInt32(MemoryLayout<qubus_array>.size)
    try callLibrary { body(&found, $0) }
    guard let type = Array.ElementType(rawValue: found.data_type) else {
      throw ClientError(
        code: QUBUS_E_NOT_SUPPORTED, message: "unknown element type \(found.data_type)")
    }
    let shape = withUnsafeBytes(of: found.shape) { raw in
      raw.bindMemory(to: UInt64.self).prefix(Int(found.rank)).map { Int($0) }
    }
    let bytes = UnsafeRawBufferPointer(start: found.data, count: Int(found.bytes))
    return Array(
      name: found.name.map { String(cString: $0) } ?? "", pub: Int(found.pub), shape: shape,
      type: type, bytes: [UInt8](bytes))
  }

  private func index32(_ value: Int, _ name: String) throws(ClientError) -> UInt32 {
    guard let index = UInt32(exactly: value) else { throw Self.outOfRange(value, name) }
    return index
  }

  private func index64(_ value: Int, _ name: String) throws(ClientError) -> UInt64 {
    guard let index = UInt64(exactly: value) else { throw Self.outOfRange(value, name) }
    return index
  }

  private static func outOfRange(_ value: Int, _ name: String) -> ClientError {
    ClientError(code: QUBUS_E_INVALID_ARGUMENT, message: "\(name): \(value) is out of range")
  }
}

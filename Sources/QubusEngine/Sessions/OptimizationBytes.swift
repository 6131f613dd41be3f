internal import QubusCore

/// Writes numbers and texts as bytes, little-endian, for what the store keeps of an optimization.
struct ByteWriter {
  private(set) var bytes: [UInt8] = []

  mutating func write(_ number: UInt64) {
    withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
  }
  mutating func write(_ number: Double) { write(number.bitPattern) }
  mutating func write(_ numbers: [Double]) {
    write(UInt64(numbers.count))
    for number in numbers { write(number) }
  }
  mutating func write(_ raw: [UInt8]) {
    write(UInt64(raw.count))
    bytes += raw
  }
  mutating func write(_ number: UInt64?) {
    write(number == nil ? 0 : 1 as UInt64)
    write(number ?? 0)
  }
  mutating func write(_ number: Double?) { write(number?.bitPattern) }
}

/// Reads what `ByteWriter` wrote.
struct ByteReader {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  private static let damaged = QubusError(
    .dataDirectoryCorrupt, "what the store holds of an optimization cannot be read")

  mutating func number() throws(QubusError) -> UInt64 {
    guard bytes.count - position >= 8 else { throw Self.damaged }
    var number: UInt64 = 0
    for index in (0..<8).reversed() { number = number << 8 | UInt64(bytes[position + index]) }
    position += 8
    return number
  }
  mutating func double() throws(QubusError) -> Double { Double(bitPattern: try number()) }
  mutating func doubles() throws(QubusError) -> [Double] {
    let count = try number()
    guard count <= UInt64((bytes.count - position) / 8) else { throw Self.damaged }
    var numbers: [Double] = []
    numbers.reserveCapacity(Int(count))
    for _ in 0..<count { numbers.append(try double()) }
    return numbers
  }
  mutating func raw() throws(QubusError) -> [UInt8] {
    let count = try number()
    guard count <= UInt64(bytes.count - position) else { throw Self.damaged }
    defer { position += Int(count) }
    return Array(bytes[position..<position + Int(count)])
  }
  mutating func text() throws(QubusError) -> String { String(decoding: try raw(), as: UTF8.self) }
  mutating func optional() throws(QubusError) -> UInt64? {
    let isThere = try number() != 0
    let number = try number()
    return isThere ? number : nil
  }
  mutating func optionalDouble() throws(QubusError) -> Double? {
    try optional().map { Double(bitPattern: $0) }
  }
}

extension OptimizeSpec {
  private static let version: UInt64 = 1

  /// As the store keeps it.
  var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.write(Self.version)
    writer.write(session.high)
    writer.write(session.low)
    writer.write(Array(method.utf8))
    for numbers in [initial, lower, upper] { writer.write(numbers) }
    writer.write(UInt64(options.count))
    for (name, value) in options.sorted(by: { $0.key < $1.key }) {
      writer.write(Array(name.utf8))
      writer.write(value)
    }
    writer.write(UInt64(observable))
    for limit in [maxIterations, maxEvaluations, maxShots] { writer.write(limit) }
    for limit in [maxSeconds, maxDeviceSeconds] { writer.write(limit) }
    writer.write(shots)
    writer.write(targetError)
    writer.write(seed)
    return writer.bytes
  }

  /// - Throws: `data_directory_corrupt`, `unsupported_schema_version`.
  init(bytes: [UInt8]) throws(QubusError) {
    var reader = ByteReader(bytes)
    let version = try reader.number()
    guard version == Self.version else {
      throw QubusError(
        .unsupportedSchemaVersion, "the optimization was written as version \(version)")
    }
    let session = Identifier(high: try reader.number(), low: try reader.number())
    self.init(session: session, method: try reader.text(), initial: try reader.doubles())
    lower = try reader.doubles()
    upper = try reader.doubles()
    for _ in 0..<(try reader.number()) { options[try reader.text()] = try reader.double() }
    observable = Int(truncatingIfNeeded: try reader.number())
    maxIterations = try reader.optional()
    maxEvaluations = try reader.optional()
    maxShots = try reader.optional()
    maxSeconds = try reader.optionalDouble()
    maxDeviceSeconds = try reader.optionalDouble()
    shots = try reader.number()
    targetError = try reader.double()
    seed = try reader.optional()
  }
}

internal import CQubusProto
internal import QubusCore
internal import QubusJobs

#if canImport(Glibc)
  internal import Glibc
#endif

// From protobuf-c's structs to Swift values. The wire check has been here before: strings are UTF-8
// without NUL, counts agree with their pointers.

extension String {
  init(wire pointer: UnsafeMutablePointer<CChar>?) {
    guard let pointer, pointer.pointee != 0 else {
      self = ""
      return
    }
    self.init(cString: pointer)
  }
}

extension Array {
  init(wire count: Int, _ pointer: UnsafeMutablePointer<Element>?) {
    self.init(UnsafeBufferPointer(start: pointer, count: pointer == nil ? 0 : count))
  }
}

extension [UInt8] {
  init(wire data: ProtobufCBinaryData) {
    self.init(UnsafeBufferPointer(start: data.data, count: data.data == nil ? 0 : data.len))
  }
}

/// Maps a repeated message field; the index is for paths in errors.
func readList<Message, Value>(
  _ count: Int, _ pointer: UnsafeMutablePointer<UnsafeMutablePointer<Message>?>?,
  _ read: (Message, Int) throws(QubusError) -> Value
) throws(QubusError) -> [Value] {
  guard let pointer else { return [] }
  var values: [Value] = []
  values.reserveCapacity(count)
  for index in 0..<count {
    guard let message = pointer[index] else { continue }
    values.append(try read(message.pointee, index))
  }
  return values
}

func readTexts(
  _ count: Int, _ pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> [String] {
  guard let pointer else { return [] }
  return (0..<count).map { String(wire: pointer[$0]) }
}

/// The last of equal keys wins.
func readPairs(
  _ count: Int, _ pointer: UnsafeMutablePointer<UnsafeMutablePointer<Qubus__V1__KeyValue>?>?
) -> [String: String] {
  guard let pointer else { return [:] }
  var pairs: [String: String] = [:]
  for index in 0..<count {
    guard let pair = pointer[index]?.pointee else { continue }
    pairs[String(wire: pair.key)] = String(wire: pair.value)
  }
  return pairs
}

func readIdentifier(
  _ pointer: UnsafeMutablePointer<CChar>?, field: String
) throws(QubusError) -> Identifier {
  let text = String(wire: pointer)
  guard !text.isEmpty else { throw .field(.missingField, field, "is required") }
  guard let identifier = Identifier(text) else {
    throw .field(
      .invalidIdentifier, field, "\"\(text.prefix(64))\" is not an id",
      limit: "36 characters, for example 018f3f5e-7c1a-7000-8000-0123456789ab")
  }
  return identifier
}

func readIdentifiers(
  _ count: Int, _ pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, field: String
) throws(QubusError) -> [Identifier] {
  guard let pointer else { return [] }
  var identifiers: [Identifier] = []
  for index in 0..<count {
    identifiers.append(try readIdentifier(pointer[index], field: "\(field)[\(index)]"))
  }
  return identifiers
}

/// A non-negative size from the wire that fits this machine.
func readShape(
  _ count: Int, _ pointer: UnsafeMutablePointer<UInt64>?, field: String
) throws(QubusError) -> [Int] {
  var shape: [Int] = []
  for value in [UInt64](wire: count, pointer) {
    guard value <= 1 << 40 else {
      throw .field(.invalidParameterShape, field, "\(value) is too large", limit: "\(1 << 40)")
    }
    shape.append(Int(value))
  }
  return shape
}

package import CQubusProto

#if canImport(Glibc)
  internal import Glibc
#endif

/// Builds protobuf-c messages in an arena, to be packed and forgotten together.
///
/// Pointers it hands out live as long as the builder.
package struct MessageBuilder: ~Copyable {
  private let arena: UnsafeMutablePointer<qubus_arena>

  package init() {
    guard let arena = qubus_arena_create(.max) else { fatalError("out of memory") }
    self.arena = arena
  }

  deinit { qubus_arena_destroy(arena) }

  private func allocate(_ bytes: Int) -> UnsafeMutableRawPointer {
    guard let memory = qubus_arena_allocate(arena, max(1, bytes)) else {
      fatalError("out of memory")
    }
    return memory
  }

  /// A message set up by protobuf-c's own `…__init`.
  package func make<Message>(
    _ initialize: (UnsafeMutablePointer<Message>?) -> Void
  ) -> UnsafeMutablePointer<Message> {
    let message = allocate(MemoryLayout<Message>.size).bindMemory(to: Message.self, capacity: 1)
    initialize(message)
    return message
  }

  /// NUL-terminated copy; text from outside was checked to hold no NUL, other text is cut there.
  package func text(_ string: String) -> UnsafeMutablePointer<CChar> {
    var string = string
    return string.withUTF8 { utf8 in
      let copy = allocate(utf8.count + 1)
      if let base = utf8.baseAddress { copy.copyMemory(from: base, byteCount: utf8.count) }
      copy.storeBytes(of: 0, toByteOffset: utf8.count, as: UInt8.self)
      return copy.bindMemory(to: CChar.self, capacity: utf8.count + 1)
    }
  }

  package func data(_ bytes: [UInt8]) -> ProtobufCBinaryData {
    guard !bytes.isEmpty else { return ProtobufCBinaryData(len: 0, data: nil) }
    let copy = allocate(bytes.count).bindMemory(to: UInt8.self, capacity: bytes.count)
    copy.initialize(from: bytes, count: bytes.count)
    return ProtobufCBinaryData(len: bytes.count, data: copy)
  }

  package func numbers<Number: BitwiseCopyable>(
    _ values: [Number]
  ) -> (Int, UnsafeMutablePointer<Number>?) {
    guard !values.isEmpty else { return (0, nil) }
    let copy = allocate(values.count * MemoryLayout<Number>.stride)
      .bindMemory(to: Number.self, capacity: values.count)
    copy.initialize(from: values, count: values.count)
    return (values.count, copy)
  }

  package func list<Element, Item>(
    _ elements: [Element], _ item: (Element) -> Item
  ) -> (Int, UnsafeMutablePointer<Item>?) {
    guard !elements.isEmpty else { return (0, nil) }
    let items = allocate(elements.count * MemoryLayout<Item>.stride)
      .bindMemory(to: Item.self, capacity: elements.count)
    for (index, element) in elements.enumerated() {
      (items + index).initialize(to: item(element))
    }
    return (elements.count, items)
  }

  package func texts(
    _ strings: [String]
  ) -> (Int, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) {
    list(strings) { text($0) }
  }

  package func binaries(
    _ values: [[UInt8]]
  ) -> (Int, UnsafeMutablePointer<ProtobufCBinaryData>?) {
    list(values) { data($0) }
  }

  /// Sorted by key, so that equal dictionaries give equal bytes.
  package func pairs(
    _ dictionary: [String: String]
  ) -> (Int, UnsafeMutablePointer<UnsafeMutablePointer<Qubus__V1__KeyValue>?>?) {
    guard !dictionary.isEmpty else { return (0, nil) }
    return pairs(dictionary.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
  }

  package func pairs(
    _ pairs: [(String, String)]
  ) -> (Int, UnsafeMutablePointer<UnsafeMutablePointer<Qubus__V1__KeyValue>?>?) {
    list(pairs) { pair in
      let entry = make(qubus__v1__key_value__init)
      entry.pointee.key = text(pair.0)
      entry.pointee.value = text(pair.1)
      return entry
    }
  }

  /// The message's bytes.
  package static func pack<Message>(_ message: UnsafeMutablePointer<Message>) -> [UInt8] {
    let base = UnsafeMutableRawPointer(message).assumingMemoryBound(to: ProtobufCMessage.self)
    let size = protobuf_c_message_get_packed_size(base)
    return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      count = size == 0 ? 0 : protobuf_c_message_pack(base, buffer.baseAddress)
    }
  }
}

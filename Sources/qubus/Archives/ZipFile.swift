internal import QubusClient

/// Files in one zip, none of them compressed: what is archived is checked by hashes and may be read
/// by anything that reads zips.
/// - Source: PKWARE, APPNOTE.TXT 6.3: method 0, without zip64.
struct ZipFile {
  struct Member {
    var name: String
    var bytes: [UInt8]
  }

  var members: [Member]

  private static let localMark: UInt32 = 0x0403_4B50
  private static let centralMark: UInt32 = 0x0201_4B50
  private static let endMark: UInt32 = 0x0605_4B50
  private static let localBytes = 30
  private static let centralBytes = 46
  private static let endBytes = 22
  private static let version: UInt16 = 20
  /// 1980-01-01, the first day that a zip can name: times are in the files.
  private static let date: UInt16 = 0x21

  init(_ members: [Member]) { self.members = members }

  /// - Throws: from 4 GiB on, which zips without extensions cannot hold.
  func encoded() throws(UsageFailure) -> [UInt8] {
    let size = members.reduce(Self.endBytes) {
      $0 + Self.localBytes + Self.centralBytes + 2 * $1.name.utf8.count + $1.bytes.count
    }
    guard UInt64(size) <= UInt64(UInt32.max), members.count <= Int(UInt16.max) else {
      throw UsageFailure(.dataError, "an archive of \(size) bytes is too large (limit: 4 GiB)")
    }
    var bytes = LittleEndianBytes(capacity: size)
    var directory = LittleEndianBytes(capacity: 0)
    for member in members {
      let offset = UInt32(bytes.bytes.count)
      let head = Self.head(of: member)
      bytes.append(Self.localMark)
      bytes.append(head)
      bytes.append(UInt16(0))
      bytes.append(Array(member.name.utf8))
      bytes.append(member.bytes)
      directory.append(Self.centralMark)
      directory.append(Self.version)
      directory.append(head)
      // Extra, comment, disk, attributes.
      directory.append([UInt8](repeating: 0, count: 12))
      directory.append(offset)
      directory.append(Array(member.name.utf8))
    }
    let start = UInt32(bytes.bytes.count)
    bytes.append(directory.bytes)
    bytes.append(Self.endMark)
    bytes.append(UInt32(0))
    bytes.append(UInt16(members.count))
    bytes.append(UInt16(members.count))
    bytes.append(UInt32(directory.bytes.count))
    bytes.append(start)
    bytes.append(UInt16(0))
    return bytes.bytes
  }

  /// From the version needed to the length of the name, as both headers have it.
  private static func head(of member: Member) -> [UInt8] {
    var head = LittleEndianBytes(capacity: 24)
    head.append(version)
    head.append(UInt16(0))
    head.append(UInt16(0))
    head.append(UInt16(0))
    head.append(date)
    head.append(CRC32.of(member.bytes))
    head.append(UInt32(member.bytes.count))
    head.append(UInt32(member.bytes.count))
    head.append(UInt16(member.name.utf8.count))
    return head.bytes
  }

  // MARK: Reading

  /// - Parameter name: of the file, for errors.
  /// - Throws: `archive_damaged`.
  init(parsing bytes: [UInt8], name: String) throws(ClientError) {
    let end = bytes.count - Self.endBytes
    guard end >= 0, bytes.number32(at: end) == Self.endMark else {
      throw .archiveDamaged("\(name) has no end: it is no archive, or was cut off")
    }
    members = []
    var place = Int(bytes.number32(at: end + 16))
    // Files that lie over one another would unpack to more than there is.
    var left = bytes.count
    for _ in 0..<Int(bytes.number16(at: end + 10)) {
      guard place + Self.centralBytes <= end, bytes.number32(at: place) == Self.centralMark else {
        throw .archiveDamaged("\(name): its table of files is damaged")
      }
      guard bytes.number16(at: place + 10) == 0 else {
        throw .archiveDamaged("\(name) is compressed, which no archive of 'qubus archive' is")
      }
      let nameBytes = Int(bytes.number16(at: place + 28))
      let skipped = Int(bytes.number16(at: place + 30)) + Int(bytes.number16(at: place + 32))
      let next = place + Self.centralBytes + nameBytes + skipped
      let count = Int(bytes.number32(at: place + 24))
      guard next <= end, count <= left else {
        throw .archiveDamaged("\(name): its table of files is damaged")
      }
      left -= count
      let start = place + Self.centralBytes
      members.append(
        Member(
          name: String(decoding: bytes[start..<start + nameBytes], as: UTF8.self),
          bytes: try Self.content(
            bytes, at: Int(bytes.number32(at: place + 42)), count: count, name: name)))
      place = next
    }
  }

  private static func content(
    _ bytes: [UInt8], at place: Int, count: Int, name: String
  ) throws(ClientError) -> [UInt8] {
    guard place + localBytes <= bytes.count, bytes.number32(at: place) == localMark else {
      throw .archiveDamaged("\(name): a file in it is not where it should be")
    }
    let start =
      place + localBytes + Int(bytes.number16(at: place + 26))
      + Int(bytes.number16(at: place + 28))
    guard start + count <= bytes.count else {
      throw .archiveDamaged("\(name): a file in it is cut off")
    }
    return Array(bytes[start..<start + count])
  }
}

/// Bytes that numbers are appended to.
struct LittleEndianBytes {
  private(set) var bytes: [UInt8] = []

  init(capacity: Int) { bytes.reserveCapacity(capacity) }

  mutating func append(_ more: [UInt8]) { bytes += more }
  mutating func append(_ number: UInt16) {
    withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
  }
  mutating func append(_ number: UInt32) {
    withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
  }
}

extension [UInt8] {
  /// Little-endian.
  fileprivate func number16(at place: Int) -> UInt16 {
    UInt16(self[place]) | UInt16(self[place + 1]) << 8
  }

  fileprivate func number32(at place: Int) -> UInt32 {
    UInt32(number16(at: place)) | UInt32(number16(at: place + 2)) << 16
  }
}

/// The checksum of zips: polynomial 0xEDB88320, reflected.
private enum CRC32 {
  private static let table: [UInt32] = (0..<256).map { (index: UInt32) -> UInt32 in
    (0..<8).reduce(index) { sum, _ in
      sum & 1 == 0 ? sum >> 1 : (sum >> 1) ^ 0xEDB8_8320
    }
  }

  static func of(_ bytes: [UInt8]) -> UInt32 {
    let table = table
    var sum = UInt32.max
    for byte in bytes { sum = sum >> 8 ^ table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)] }
    return ~sum
  }
}

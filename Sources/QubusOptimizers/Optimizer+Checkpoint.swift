package import QubusCore

// A checkpoint: "QOPT", format version (1 byte), method (1 byte), parameter count (8 bytes),
// the method's fields, and the FNV-1a hash (64 bits) of all before it.

extension Optimizer {
  /// The whole state; the same state gives the same bytes.
  package func checkpoint() -> [UInt8] {
    var coder = CheckpointCoder()
    for var byte in OptimizerCheckpoint.magic { coder.visit(&byte, through: .max) }
    var version = OptimizerCheckpoint.version
    coder.visit(&version, through: .max)
    var tag = Self.method.checkpointTag
    coder.visit(&tag, through: .max)
    var copy = self
    copy.visitState(&coder)
    var sum = OptimizerCheckpoint.hash(coder.bytes[...])
    coder.visit(&sum)
    return coder.bytes
  }
}

extension OptimizerMethod {
  /// The optimizer as it was at `checkpoint()`; it goes on with the same bits.
  /// - Throws: `invalid_optimizer` when the bytes are damaged or of another format.
  package static func restore(checkpoint: [UInt8]) throws(QubusError) -> any Optimizer {
    let header = OptimizerCheckpoint.magic.count + 2
    guard checkpoint.count >= header + 8 else { throw damaged("it ends early") }
    guard Array(checkpoint.prefix(4)) == OptimizerCheckpoint.magic else {
      throw damaged("these bytes are none")
    }
    guard checkpoint[4] == OptimizerCheckpoint.version else {
      throw damaged("its format is version \(checkpoint[4])")
    }
    guard let method = allCases.first(where: { $0.checkpointTag == checkpoint[5] }) else {
      throw damaged("it names no method")
    }
    let body = checkpoint.dropLast(8)
    var sum: UInt64 = 0
    var trailer = CheckpointCoder(reading: Array(checkpoint.suffix(8)))
    trailer.visit(&sum)
    guard sum == OptimizerCheckpoint.hash(body) else {
      throw damaged("its checksum does not match")
    }
    var coder = CheckpointCoder(reading: Array(body.dropFirst(header)))
    var optimizer = method.type.init()
    optimizer.visitState(&coder)
    coder.require(coder.isAtEnd, "it goes on after its end")
    if let failure = coder.failure { throw damaged(failure) }
    return optimizer
  }

  private static func damaged(_ reason: String) -> QubusError {
    OptimizerOptions.invalid(
      "checkpoint", "cannot be restored: \(reason)", "format \(OptimizerCheckpoint.version)")
  }
}

enum OptimizerCheckpoint {
  static let magic: [UInt8] = Array("QOPT".utf8)
  static let version: UInt8 = 1

  /// FNV-1a, 64 bits: finds accidents, not attacks.
  static func hash(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
  }
}

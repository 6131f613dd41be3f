internal import CQubus

/// C copies of strings for the time of one call.
final class CStrings {
  private var blocks: [UnsafeMutablePointer<CChar>] = []

  deinit { for block in blocks { block.deallocate() } }

  func copy(_ text: String) -> UnsafePointer<CChar> {
    let characters = Array(text.utf8CString)
    let block = UnsafeMutablePointer<CChar>.allocate(capacity: characters.count)
    block.initialize(from: characters, count: characters.count)
    blocks.append(block)
    return UnsafePointer(block)
  }

  /// A copy of a text from outside; a NUL inside would cut it short, so it is refused.
  /// - Throws: `nul_in_string`.
  func copy(_ text: String?, as field: String) throws(ClientError) -> UnsafePointer<CChar>? {
    guard let text else { return nil }
    guard !text.utf8.contains(0) else {
      throw ClientError(
        code: QUBUS_E_NUL_IN_STRING, message: "\(field): the text holds a NUL character")
    }
    return copy(text)
  }
}

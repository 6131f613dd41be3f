internal import QubusCore
internal import QubusStoreSQLite

/// Where the threads run between which a submit goes to and fro, on a machine of two processors:
/// the one that writes where the disk reports, those of the messages on the other (decision 0018).
/// With more processors nearly always one is idle, and the system finds it.
struct ThreadPlaces {
  /// nil: anywhere, which the system decides.
  var writer: Int?
  var messages: Int?

  /// - Parameter keepsAwake: whether the service may spend processor time to answer sooner.
  init(
    dataDirectory: String, keepsAwake: Bool, processors: [Int] = ProcessorSet().numbers,
    disk: DiskProcessor = DiskProcessor()
  ) {
    guard keepsAwake, processors.count == 2,
      let near = disk.number(ofDiskUnder: dataDirectory), processors.contains(near)
    else { return }
    writer = near
    messages = processors.first { $0 != near }
  }
}

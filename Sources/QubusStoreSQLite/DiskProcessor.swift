internal import Foundation
internal import Glibc

/// The processor to which a disk reports what it has done, if it is always the same.
///
/// A disk of one queue, as in many virtual machines, interrupts one processor; a thread that waits
/// for it on another has to be woken across (decision 0018). A disk with a queue for each processor
/// reports to the one that asked.
/// - Source: Linux, "Documentation/ABI/stable/sysfs-block" (mq), "SMP IRQ affinity".
package struct DiskProcessor {
  /// Where the system tells about itself: "" or, in tests, a folder that looks like it.
  private let root: String

  package init(root: String = "") { self.root = root }

  /// - Parameter path: a file or folder on the disk.
  /// - Returns: nil where there is no such processor, or the system does not say.
  package func number(ofDiskUnder path: String) -> Int? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return number(ofDevice: UInt64(status.st_dev))
  }

  func number(ofDevice device: UInt64) -> Int? {
    // The layout of dev_t in the C library (<bits/sysmacros.h>).
    let major = device >> 8 & 0xFFF | device >> 32 & 0xFFFF_F000
    let minor = device & 0xFF | device >> 12 & 0xFFFF_FF00
    guard var folder = resolved("\(root)/sys/dev/block/\(major):\(minor)") else { return nil }
    // The disk of a partition is the folder above it.
    if !FileManager.default.fileExists(atPath: folder + "/mq") { folder = parent(folder) }
    guard entries(folder + "/mq").count == 1 else { return nil }
    var interrupts: [String] = []
    while interrupts.isEmpty, folder.count > root.count {
      folder = parent(folder)
      interrupts = entries(folder + "/msi_irqs")
    }
    let counts = interruptCounts()
    // A device has others for its configuration, which hardly ever come.
    guard let busiest = interrupts.max(by: { counts[$0, default: 0] < counts[$1, default: 0] }),
      counts[busiest, default: 0] > 0,
      let list = text("\(root)/proc/irq/\(busiest)/effective_affinity_list")
    else { return nil }
    return Int(list.trimmingCharacters(in: .whitespacesAndNewlines))
  }

  /// How often each interrupt came, on all processors.
  private func interruptCounts() -> [String: Int] {
    var counts: [String: Int] = [:]
    for line in (text("\(root)/proc/interrupts") ?? "").split(separator: "\n").dropFirst() {
      let words = line.split(separator: " ")
      guard let name = words.first?.dropLast() else { continue }
      counts[String(name)] = words.dropFirst().prefix { Int($0) != nil }
        .reduce(0) { $0 &+ (Int($1) ?? 0) }
    }
    return counts
  }

  private func resolved(_ path: String) -> String? {
    guard let found = realpath(path, nil) else { return nil }
    defer { free(found) }
    return String(cString: found)
  }

  private func parent(_ path: String) -> String {
    String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
  }

  private func entries(_ path: String) -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
  }

  private func text(_ path: String) -> String? {
    FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
  }
}

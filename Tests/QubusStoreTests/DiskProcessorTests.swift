import Foundation
import Testing

@testable import QubusStoreSQLite

/// Folders that look like the system's own: a disk 254:0 with a partition 254:1.
@Suite("The processor of a disk") struct DiskProcessorTests {
  private let directory = TemporaryDirectory()
  private var root: String { directory.path }

  private func put(_ text: String, _ path: String) throws {
    let url = URL(fileURLWithPath: root + path)
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
  }

  private func system(queues: Int, requests: String = "36") throws -> DiskProcessor {
    let device = "/sys/devices/pci0000:00/0000:00:02.0"
    let disk = device + "/virtio1/block/vda"
    for queue in 0..<queues { try put("", "\(disk)/mq/\(queue)/cpu_list") }
    try put("", disk + "/vda1/partition")
    for interrupt in ["35", "36"] { try put("msix\n", "\(device)/msi_irqs/\(interrupt)") }
    for (name, target) in [("254:0", disk), ("254:1", disk + "/vda1")] {
      try put("", "/sys/dev/block/here")
      try FileManager.default.createSymbolicLink(
        atPath: "\(root)/sys/dev/block/\(name)", withDestinationPath: root + target)
    }
    try put("0\n", "/proc/irq/35/effective_affinity_list")
    try put("1\n", "/proc/irq/36/effective_affinity_list")
    try put(
      """
                 CPU0       CPU1
       35:          0          1   PCI-MSIX-0000:00:02.0   0-edge      virtio1-config
       36:          0   \(requests)   PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0
      NMI:         12         13   Non-maskable interrupts
      """, "/proc/interrupts")
    return DiskProcessor(root: root)
  }

  @Test("is where its requests interrupt, of a partition as of the whole disk")
  func found() throws {
    let system = try system(queues: 1, requests: "12824160")
    #expect(system.number(ofDevice: 254 << 8) == 1)
    #expect(system.number(ofDevice: 254 << 8 | 1) == 1)
  }

  @Test("is none of a disk with several queues, of no disk, and where the system does not say")
  func none() throws {
    let system = try system(queues: 2)
    #expect(system.number(ofDevice: 254 << 8) == nil)
    #expect(system.number(ofDevice: 7) == nil)
    #expect(system.number(ofDiskUnder: root + "/nowhere") == nil)
    try FileManager.default.removeItem(
      atPath: root + "/sys/devices/pci0000:00/0000:00:02.0/msi_irqs")
    #expect(DiskProcessor(root: root).number(ofDevice: 254 << 8) == nil)
  }
}

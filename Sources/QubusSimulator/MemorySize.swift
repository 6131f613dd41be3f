/// Sizes as people read them.
package enum MemorySize {
  /// For example `16 GiB`, `1.5 MiB`, `64 bytes`.
  package static func text(_ bytes: Double) -> String {
    var value = bytes
    var index = 0
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    while value >= 1024 && index < units.count - 1 {
      value /= 1024
      index += 1
    }
    let rounded = (value * 10).rounded() / 10
    let isWhole = rounded == rounded.rounded() && rounded < 1e15
    return (isWhole ? "\(Int(rounded))" : "\(rounded)") + " " + units[index]
  }
}

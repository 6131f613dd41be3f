internal import Foundation

/// A drawing of how many jobs fared worse than a value, per policy, both axes logarithmic, so that
/// the mean job and the worst one are seen together: bounded slowdown on the left, wait on the
/// right. SVG without anything that needs to be loaded.
package struct SurvivalPlot: Sendable {
  private struct Curve {
    var name: String
    var color: String
    var samples: ReplaySamples
  }
  private struct Panel {
    var left: Double
    var heading: String
    var unit: String
    var values: @Sendable (ReplaySamples) -> [Double]
    /// Decades of the horizontal axis.
    var low: Double
    var high: Double
  }
  private static let colors = [
    "#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2", "#97bbf5", "#9c6b4e",
  ]
  private static let width = 420.0
  private static let height = 300.0
  private static let top = 40.0
  /// Decades of the vertical axis: down to one job in 10,000.
  private static let depth = 4.0

  private var curves: [Curve] = []
  private let title: String

  package init(title: String) { self.title = title }

  package mutating func add(_ name: String, _ samples: ReplaySamples) {
    let color = Self.colors[curves.count % Self.colors.count]
    curves.append(Curve(name: name, color: color, samples: samples))
  }

  package func svg() -> String {
    let panels = [
      Panel(
        left: 60, heading: "bounded slowdown", unit: "",
        values: { $0.boundedSlowdowns }, low: 0, high: decades { $0.boundedSlowdowns }),
      Panel(
        left: 560, heading: "wait", unit: " s",
        values: { $0.waitSeconds }, low: 0, high: decades { $0.waitSeconds }),
    ]
    var lines = [
      """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1010 \(400 + 18 * curves.count)" \
      font-family="sans-serif" font-size="12">
      """,
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>",
      "<text x=\"60\" y=\"20\" font-size=\"14\">\(Self.escaped(title))</text>",
    ]
    for panel in panels { lines += axes(panel) + curves.map { path($0, panel) } }
    for (place, curve) in curves.enumerated() {
      let y = Self.top + Self.height + 60 + 18 * Double(place)
      lines.append(
        "<rect x=\"60\" y=\"\(y - 9)\" width=\"18\" height=\"4\" fill=\"\(curve.color)\"/>"
          + "<text x=\"86\" y=\"\(y)\">\(Self.escaped(curve.name))</text>")
    }
    return lines.joined(separator: "\n") + "\n</svg>\n"
  }

  private func decades(_ values: (ReplaySamples) -> [Double]) -> Double {
    let largest = curves.map { values($0.samples).max() ?? 1 }.max() ?? 1
    return max(1, log10(max(1, largest)).rounded(.up))
  }

  private func axes(_ panel: Panel) -> [String] {
    var lines: [String] = []
    let bottom = Self.top + Self.height
    for decade in Int(panel.low)...Int(panel.high) {
      let x = place(pow(10, Double(decade)), in: panel)
      lines.append(
        "<path d=\"M\(x) \(Self.top)V\(bottom)\" stroke=\"#ddd\"/>"
          + "<text x=\"\(x)\" y=\"\(bottom + 16)\" text-anchor=\"middle\">"
          + "\(Self.power(decade))\(panel.unit)</text>")
    }
    for decade in 0...Int(Self.depth) {
      let y = Self.top + Self.height * Double(decade) / Self.depth
      lines.append(
        "<path d=\"M\(panel.left) \(y)h\(Self.width)\" stroke=\"#ddd\"/>"
          + "<text x=\"\(panel.left - 6)\" y=\"\(y + 4)\" text-anchor=\"end\">"
          + "\(Self.power(-decade))</text>")
    }
    lines.append(
      "<text x=\"\(panel.left)\" y=\"\(bottom + 34)\">part of the jobs above this "
        + "\(panel.heading)</text>")
    return lines
  }

  private func place(_ value: Double, in panel: Panel) -> Double {
    let decades = log10(max(1e-9, value)) - panel.low
    let x = panel.left + Self.width * max(0, decades) / (panel.high - panel.low)
    return (x * 10).rounded() / 10
  }

  /// Corners closer than a pixel are left out.
  private func path(_ curve: Curve, _ panel: Panel) -> String {
    let sorted = panel.values(curve.samples).sorted()
    var corners: [String] = []
    var last = (x: -1.0, y: -1.0)
    for (index, value) in sorted.enumerated() {
      let part = Double(sorted.count - index) / Double(sorted.count)
      let x = place(value, in: panel)
      let y = Self.top + Self.height * min(1, -log10(part) / Self.depth)
      guard abs(x - last.x) + abs(y - last.y) >= 1 || index == sorted.count - 1 else { continue }
      last = (x, y)
      corners.append("\(x) \((y * 10).rounded() / 10)")
    }
    return "<path d=\"M\(corners.joined(separator: "L"))\" fill=\"none\" "
      + "stroke=\"\(curve.color)\" stroke-width=\"1.5\"/>"
  }

  private static func power(_ decade: Int) -> String {
    decade < 0 ? "1/\(Int(pow(10, Double(-decade))))" : "\(Int(pow(10, Double(decade))))"
  }

  private static func escaped(_ text: String) -> String {
    text.replacingOccurrences(of: "&", with: "&amp;")
      .replacingOccurrences(of: "<", with: "&lt;").replacingOccurrences(of: ">", with: "&gt;")
  }
}

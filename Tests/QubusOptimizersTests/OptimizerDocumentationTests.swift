import Glibc
import QubusCore
import Testing

@testable import QubusOptimizers

/// `docs/optimizers.md` holds the table of options as the code has it.
@Suite("Documentation of optimizers")
struct OptimizerDocumentationTests {
  private static let page = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

  private func number(_ value: Double) -> String {
    value == value.rounded() ? String(Int(value)) : "\(value)"
  }

  private func row(_ option: OptimizerOption) -> String {
    let kind = option.isInteger ? "whole, " : ""
    let range = "\(number(option.range.lowerBound)) to \(number(option.range.upperBound))"
    return "| `\(option.name)` | \(number(option.standard)) | \(kind)\(range) | \(option.meaning) |"
  }

  @Test("every option stands in docs/optimizers.md with its standard and range")
  func options() throws {
    let text = try contents("/\(Self.page)/docs/optimizers.md")
    for method in OptimizerMethod.allCases {
      let expected = method.options.map(row).joined(separator: "\n")
      #expect(text.contains("## `\(method.rawValue)`"))
      #expect(text.contains(expected), "the rows of \(method.rawValue) should be:\n\(expected)")
    }
  }

  private func contents(_ path: String) throws -> String {
    let file = try #require(fopen(path, "r"), "cannot open \(path)")
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self)
  }
}

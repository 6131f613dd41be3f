import Testing

@testable import QubusClient

@Suite struct JSONValueTests {
  @Test("a value is printed as it was read, members in order and numbers digit by digit")
  func roundTrip() throws {
    let text = #"{"z":18446744073709551615,"a":[1.50,-2e3,null,true,{}],"s":"q\"\\\n\u0001é😀"}"#
    #expect(try JSONValue(parsing: text).description == text)
    #expect(try JSONValue(parsing: text)["z"]?.unsigned == UInt64.max)
  }

  @Test("escapes become characters, also beyond the basic plane")
  func escapes() throws {
    #expect(try JSONValue(parsing: #" "\u00e9\ud83d\ude00\/" "#) == .text("é😀/"))
  }

  @Test(
    "what is not JSON is refused with its place",
    arguments: [
      ("", 0), ("{", 1), ("[1,]", 3), ("{\"a\" 1}", 5), ("tru", 0), ("1 2", 2), ("\"a", 2),
      (".5", 0), ("+1", 0), ("nan", 0),
    ])
  func refusals(_ text: String, _ offset: Int) {
    #expect { try JSONValue(parsing: text) } throws: { ($0 as? JSONError)?.offset == offset }
  }

  @Test("deep nesting is refused instead of exhausting the stack")
  func depth() {
    let text = String(repeating: "[", count: 100_000)
    #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
  }

  @Test("numbers that JSON has not are printed as null")
  func nonFinite() {
    #expect(JSONValue.real(.nan).description == "null")
    #expect(JSONValue.real(0.1).description == "0.1")
  }
}

internal import QubusCompiler
package import QubusCore
internal import QubusQASM

extension ProgramCache {
  /// A cache that compiles OpenQASM 2 and 3.
  package static func openQASM(bytes: Int, limits: Limits) -> ProgramCache {
    ProgramCache(bytes: bytes) { (source) throws(QubusError) in
      ProgramCompiler.compile(try OpenQASM.compile(source, limits: limits), source: source)
    }
  }
}

internal import QubusCore
internal import QubusTenancy

/// The columns of a charge that come from what its client wrote. Nothing there is read back, only
/// told apart: with a key an experiment is a mark, and a class that is none of the known is
/// `other`.
struct ChargedExperiment {
  var experimentClass: String
  var identity: String

  private static let column = "charges.experiment"
  private static let otherClass = "other"
  /// Before a mark, so that none is marked again.
  private static let sign = "#"

  init(_ experimentClass: String, _ identity: String, key: DataKey?) {
    (self.experimentClass, self.identity) = (experimentClass, identity)
    guard let key else { return }
    if !experimentClass.isEmpty, ExperimentClass(rawValue: experimentClass) == nil {
      self.experimentClass = Self.otherClass
    }
    if !identity.isEmpty, !Self.isMark(identity) {
      self.identity = Self.sign + key.mark(identity, of: Self.column)
    }
  }

  private static func isMark(_ text: String) -> Bool {
    text.hasPrefix(sign) && Hexadecimal.bytes(text.dropFirst(sign.count))?.count == 16
  }
}

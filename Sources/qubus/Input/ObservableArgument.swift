internal import ArgumentParser
internal import QubusClient

/// `ZZ:1.0,XI:0.5`: a weighted sum of Pauli strings; a weight left out is 1.
struct ObservableArgument: ExpressibleByArgument, Equatable {
  let observable: Observable

  init?(argument: String) {
    var terms: [Observable.Term] = []
    for term in argument.split(separator: ",", omittingEmptySubsequences: false) {
      let parts = term.split(separator: ":", omittingEmptySubsequences: false)
      guard let pauli = parts.first, !pauli.isEmpty, parts.count <= 2 else { return nil }
      guard let weight = parts.count == 2 ? Double(parts[1]) : 1 else { return nil }
      terms.append(Observable.Term(String(pauli), weight))
    }
    observable = Observable(terms)
  }
}

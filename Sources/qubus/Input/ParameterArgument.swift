internal import ArgumentParser
internal import QubusClient

/// `name=value` or `name=value,value,…`: one input of the program, a scalar or a vector of rows.
struct ParameterArgument: ExpressibleByArgument, Equatable {
  let parameter: Parameter

  init?(argument: String) {
    guard let equals = argument.firstIndex(of: "="), equals != argument.startIndex else {
      return nil
    }
    let name = String(argument[..<equals])
    let texts = argument[argument.index(after: equals)...].split(
      separator: ",", omittingEmptySubsequences: false)
    var values: [Double] = []
    for text in texts {
      guard let value = Double(text) else { return nil }
      values.append(value)
    }
    parameter = texts.count == 1 ? Parameter(name, values[0]) : Parameter(name, values)
  }
}

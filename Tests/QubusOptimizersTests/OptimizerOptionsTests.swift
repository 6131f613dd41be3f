import QubusCore
import Testing

@testable import QubusOptimizers

@Suite("Options of optimizers")
struct OptimizerOptionsTests {
  private func refusal(
    _ method: String = "adam", _ start: [Double] = [0.1, 0.2], lower: [Double] = [],
    upper: [Double] = [], _ numbers: [String: Double] = [:]
  ) -> FieldViolation? {
    do throws(QubusError) {
      _ = try OptimizerOptions(
        method: method, initialParameters: start, lower: lower, upper: upper, numbers: numbers
      ).makeOptimizer()
      return nil
    } catch {
      return error.code == .invalidOptimizer ? error.violations.first : nil
    }
  }

  @Test("every method is made by its name and reports it", arguments: OptimizerMethod.allCases)
  func methods(_ method: OptimizerMethod) throws {
    let optimizer = try makeOptimizer(method, [0.1, 0.2])
    #expect(type(of: optimizer).name == method.rawValue)
    #expect(type(of: optimizer).method == method)
    #expect(optimizer.parameterCount == 2)
  }

  @Test("an unknown method is refused with the list of methods")
  func unknownMethod() {
    #expect(refusal("Adam")?.field == "method")
    #expect(refusal("cobyla")?.limit == "spsa, adam, lbfgs, nelder_mead, rotosolve")
  }

  @Test("a program without parameters is refused with the reason")
  func noParameters() {
    for method in OptimizerMethod.allCases {
      let violation = refusal(method.rawValue, [])
      #expect(violation?.field == "initial_parameters")
      #expect(violation?.explanation.contains("no parameters") == true)
    }
  }

  @Test(
    "too many parameters are refused with the method's limit", arguments: OptimizerMethod.allCases)
  func tooManyParameters(_ method: OptimizerMethod) {
    let many = [Double](repeating: 0, count: method.parameterLimit + 1)
    #expect(refusal(method.rawValue, many)?.limit == String(method.parameterLimit))
  }

  @Test("a start that is not finite is refused by its index")
  func startNotFinite() {
    for bad in [Double.nan, .infinity, -.infinity] {
      #expect(refusal("adam", [0, bad])?.field == "initial_parameters[1]")
    }
  }

  @Test("bounds must be one per parameter, ordered, not NaN, and around the start")
  func bounds() {
    #expect(refusal(lower: [0])?.field == "lower")
    #expect(refusal(upper: [1, 1, 1])?.field == "upper")
    #expect(refusal(lower: [0, .nan])?.field == "lower[1]")
    #expect(refusal(lower: [.infinity, 0])?.field == "lower[0]")
    #expect(refusal(upper: [-.infinity, 1])?.field == "upper[0]")
    #expect(refusal(lower: [0, 1], upper: [1, 0])?.field == "lower[1]")
    #expect(refusal(lower: [0.15, 0])?.field == "initial_parameters[0]")
    #expect(refusal(upper: [1, 0.15])?.limit == "-inf to 0.15")
    #expect(refusal(lower: [0.1, 0.2], upper: [0.1, 0.2])?.field == "lower")
    #expect(refusal(lower: [-.infinity, 0.2], upper: [.infinity, 0.2]) == nil)
  }

  @Test("an unknown option is refused with the list of options")
  func unknownOption() {
    let violation = refusal("rotosolve", [0], ["learning_rate": 1])
    #expect(violation?.field == "options.learning_rate")
    #expect(violation?.limit == "value_tolerance")
  }

  @Test(
    "every option refuses numbers outside its range and takes its ends",
    arguments: OptimizerMethod.allCases)
  func ranges(_ method: OptimizerMethod) {
    for option in method.options {
      let (low, high) = (option.range.lowerBound, option.range.upperBound)
      #expect(option.range.contains(option.standard))
      for bad in [low - 1, high * 2 + 1, .nan, .infinity, -.infinity] {
        let violation = refusal(method.rawValue, [0], [option.name: bad])
        #expect(violation?.field == "options.\(option.name)", "\(bad)")
      }
      for good in [low, high, option.standard] {
        #expect(refusal(method.rawValue, [0], [option.name: good]) == nil, "\(option.name) \(good)")
      }
      if option.isInteger {
        #expect(refusal(method.rawValue, [0], [option.name: low + 0.5]) != nil)
      }
    }
  }

  @Test("names of options are unique and have a meaning")
  func table() {
    for method in OptimizerMethod.allCases {
      #expect(Set(method.options.map(\.name)).count == method.options.count)
      #expect(method.options.allSatisfy { !$0.meaning.isEmpty })
    }
    let tags = OptimizerMethod.allCases.map(\.checkpointTag)
    #expect(Set(tags).count == tags.count)
  }

  @Test("a batch of SPSA is bounded")
  func batch() {
    let start = [Double](repeating: 0, count: 65_536)
    #expect(refusal("spsa", start)?.field == "options.calibration_steps")
    #expect(refusal("spsa", start, ["learning_rate": 1, "resamplings": 17])?.limit == "16")
    #expect(refusal("spsa", start, ["learning_rate": 1, "resamplings": 16]) == nil)
  }

  @Test("the first error of several is always the same one")
  func order() {
    let numbers = ["zeta": 1.0, "eta": 1, "iota": 1]
    for _ in 0..<20 {
      #expect(refusal("adam", [0], numbers)?.field == "options.eta")
    }
  }
}

extension OptimizerOptionsTests {
  private func refusal(
    _ method: String, _ start: [Double], _ numbers: [String: Double]
  ) -> FieldViolation? {
    refusal(method, start, lower: [], upper: [], numbers)
  }
}

internal import QubusCircuit
internal import QubusCompiler
internal import QubusCore
internal import QubusDevices
internal import QubusJobs
internal import QubusScheduler

/// A pub ready to run: program, shapes, observables and the device's estimate.
struct PreparedPub: Sendable {
  var program: CompiledProgram
  /// One array per `Circuit.inputs`, in that order.
  var parameters: [ParameterArray]
  /// Broadcast shape of the parameters.
  var shape: [Int]
  var rows: Int
  var observables: [PauliSum]
  var observablesShape: [Int]
  /// Broadcast shape of parameters and observables; empty without observables.
  var expectationShape: [Int]
  var shots: UInt64
  var outputs: Set<OutputKind>
  var targetPrecision: Double?
  var estimate: ResourceEstimate

  var wantsExact: Bool {
    !outputs.isDisjoint(with: [.probabilities, .stateVector, .expectationValues])
  }
  var estimatedSeconds: Double {
    estimate.seconds(rows: rows, shots: shots)
  }

  /// For every row the observables it needs and where their values go in the result.
  func observablesByRow() -> [[(observable: Int, position: Int)]] {
    var result = Array(repeating: [(observable: Int, position: Int)](), count: rows)
    guard !observables.isEmpty, let count = Broadcast.count(expectationShape) else { return result }
    let rowIndex = BroadcastIndex(shape, to: expectationShape)
    let observableIndex = BroadcastIndex(observablesShape, to: expectationShape)
    for position in 0..<count {
      result[rowIndex[position]].append((observableIndex[position], position))
    }
    return result
  }

  /// True when rows give nothing but exact expectation values.
  var wantsOnlyExpectationValues: Bool { shots == 0 && outputs == [.expectationValues] }
}

/// A job ready for the scheduler and for a device.
struct PreparedJob: Sendable {
  var spec: JobSpec
  var device: any Device
  var pubs: [PreparedPub]
  var lane: Lane
  var cores: CoreDemand
  var memoryBytes: UInt64
  var estimatedSeconds: Double
  var fingerprint: [UInt8]
  var notices: [String]

  var precision: Precision { spec.execution.amplitudes }
  var shotsTotal: UInt64 { pubs.reduce(0) { $0 + UInt64($1.rows) * $1.shots } }
  var rowsTotal: UInt64 { pubs.reduce(0) { $0 + UInt64($1.rows) } }
}

extension ExecutionSpec {
  /// The number type of amplitudes asked for.
  var amplitudes: Precision { precision == .single ? .single : .double }
}

extension PreparedPub {
  /// What a row computes beyond shots.
  func exactOutputs(_ observables: [Int]) -> ExactOutputs {
    ExactOutputs(
      probabilities: outputs.contains(.probabilities), stateVector: outputs.contains(.stateVector),
      observables: observables.map { self.observables[$0] })
  }
}

/// The inputs of a pub's rows.
struct RowInputs {
  private let parameters: [(array: ParameterArray, input: InputParameter, index: BroadcastIndex)]

  init(_ pub: PreparedPub) {
    parameters = zip(pub.parameters, pub.program.circuit.inputs).map { parameter, input in
      (parameter, input, BroadcastIndex(parameter.shape, to: pub.shape))
    }
  }

  /// Appends the numbers of rows as they were given, row by row.
  func append(_ rows: Range<Int>, to numbers: inout [Double]) {
    let start = numbers.count
    numbers += repeatElement(0, count: rows.count * parameters.count)
    for (column, parameter) in parameters.enumerated() {
      let (values, index) = (parameter.array.values, parameter.index)
      var place = start + column
      for row in rows {
        numbers[place] = values[index.isWhole ? row : index[row]]
        place += parameters.count
      }
    }
  }

  /// The values of one row, converted to the declared types.
  /// - Throws: `invalid_parameter_value` for one that its type cannot hold.
  func values(row: Int) throws(QubusError) -> [Value] {
    var values: [Value] = []
    values.reserveCapacity(parameters.count)
    for (array, input, index) in parameters {
      values.append(try Value.input(array.values[index[row]], type: input.type, name: input.name))
    }
    return values
  }
}

package import QubusCore

/// Reads the Standard Workload Format: comment lines with `;`, then 18 numbers per job, −1 for what
/// is not known.
///
/// A line that is no such line is an error that names it. Jobs that are well formed but cannot be
/// replayed (no run time, no processors, larger than the machine) are errors too, unless they are
/// to be skipped.
/// - Source: Feitelson, "The Standard Workload Format", Parallel Workloads Archive, version 2.2.
package struct SWFReader: Sendable {
  /// Processors of the machine; from the header when nil.
  package var processors: Int?
  package var skipsInvalidJobs: Bool

  package init(processors: Int? = nil, skipsInvalidJobs: Bool = false) {
    self.processors = processors
    self.skipsInvalidJobs = skipsInvalidJobs
  }

  /// 1-based numbers of the fields that are used.
  enum Field: Int {
    case number = 1
    case submitted = 2
    case runTime = 4
    case allocatedProcessors = 5
    case requestedProcessors = 8
    case requestedTime = 9
    case user = 12

    var name: String {
      switch self {
      case .number: "job number"
      case .submitted: "submit time"
      case .runTime: "run time"
      case .allocatedProcessors: "allocated processors"
      case .requestedProcessors: "requested processors"
      case .requestedTime: "requested time"
      case .user: "user"
      }
    }
  }
  static let fieldCount = 18

  /// - Throws: `invalid_request` with the line and column of what is wrong.
  package func read(_ text: String, name: String) throws(QubusError) -> Trace {
    var header: [String: Int] = [:]
    var records: [(line: SWFLine, values: [Double])] = []
    var number = 0
    // A line may end in CR LF, which is one character.
    for text in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
      number += 1
      let line = SWFLine(number: number, text: text)
      if line.isBlank { continue }
      if line.isComment {
        if let (key, value) = line.headerEntry { header[key] = value }
        continue
      }
      records.append((line, try line.values()))
    }
    guard let machine = processors ?? header["MaxProcs"] ?? header["MaxNodes"] else {
      throw .field(
        .invalidRequest, "processors",
        "\(name) has no line '; MaxProcs: N', and no number of processors was given")
    }
    return try trace(records, processors: machine, name: name)
  }

  private func trace(
    _ records: [(line: SWFLine, values: [Double])], processors: Int, name: String
  ) throws(QubusError) -> Trace {
    var users: [Double: Int] = [:]
    var jobs: [TraceJob] = []
    jobs.reserveCapacity(records.count)
    var skipped = 0
    for (line, values) in records {
      func value(_ field: Field) -> Double { values[field.rawValue - 1] }
      let submitted = Self.microseconds(value(.submitted))
      if let last = jobs.last, submitted < last.submitted {
        throw line.error(.submitted, "the clock goes back: the job in front came later")
      }
      let requested = value(.requestedProcessors)
      let sizeField: Field = requested > 0 ? .requestedProcessors : .allocatedProcessors
      let size = value(sizeField)
      if let (field, problem) = Self.problem(
        runTime: value(.runTime), size: size, sizeField, processors: processors)
      {
        guard skipsInvalidJobs else { throw line.error(field, problem) }
        skipped += 1
        continue
      }
      let estimate = value(.requestedTime)
      let user = users[value(.user), default: users.count]
      users[value(.user)] = user
      jobs.append(
        TraceJob(
          number: Int(value(.number)), submitted: submitted,
          runTime: Self.microseconds(value(.runTime)),
          requestedTime: estimate > 0 ? Self.microseconds(estimate) : nil,
          processors: Int(size), user: user))
    }
    return try Trace(name: name, processors: processors, jobs: jobs, skippedCount: skipped)
  }

  /// Why a job that is well formed cannot be replayed.
  private static func problem(
    runTime: Double, size: Double, _ sizeField: Field, processors: Int
  ) -> (Field, String)? {
    if runTime <= 0 { return (.runTime, "the job has no run time") }
    if size < 1 { return (sizeField, "the job has no processors") }
    if size > Double(processors) {
      return (sizeField, "the job is larger than the machine of \(processors)")
    }
    return nil
  }

  private static func microseconds(_ seconds: Double) -> Microseconds {
    Microseconds((seconds * 1e6).rounded())
  }
}

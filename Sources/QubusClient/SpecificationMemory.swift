internal import CQubus

/// The C form of job specifications; everything it points to lives as long as this object.
final class SpecificationMemory {
  private var blocks: [UnsafeMutableRawPointer] = []

  deinit { for block in blocks { block.deallocate() } }

  /// The C specification of `spec`.
  /// - Throws: `nul_in_string`, `invalid_argument` for a shape that does not fit its values.
  func specification(_ spec: JobSpec) throws(ClientError) -> qubus_job_spec {
    var result = qubus_job_spec()
    result.struct_size = UInt32(MemoryLayout<qubus_job_spec>.size)
    result.max_cost = Int64.min
    result.priority_class = spec.priority.rawValue
    var pubs: [qubus_pub] = []
    for pub in spec.pubs { pubs.append(try publicationUnit(pub)) }
    result.pubs = array(pubs)
    result.pub_count = UInt64(pubs.count)
    result.idempotency_key = try string(spec.idempotencyKey, "idempotency_key")
    result.client_job_id = try string(spec.clientJobID, "client_job_id")
    result.device = try string(spec.device, "device")
    result.precision = try string(spec.precision, "precision")
    result.name = try string(spec.name, "name")
    if let seed = spec.seed {
      result.has_seed = 1
      result.seed = seed
    }
    result.max_run_seconds = try positive(spec.maximumRunSeconds, "max_run_seconds")
    result.ttl_seconds = try positive(spec.timeToLiveSeconds, "ttl_seconds")
    (result.tags, result.tag_count) = try strings(spec.tags, "tags")
    (result.after, result.after_count) = try strings(spec.after, "after")
    (result.after_ok, result.after_ok_count) = try strings(spec.afterOK, "after_ok")
    return result
  }

  private func strings(
    _ texts: [String], _ field: String
  ) throws(ClientError) -> (UnsafePointer<UnsafePointer<CChar>?>?, UInt64) {
    var pointers: [UnsafePointer<CChar>?] = []
    for text in texts { pointers.append(try string(text, field)) }
    return (array(pointers), UInt64(pointers.count))
  }

  private func publicationUnit(_ pub: Pub) throws(ClientError) -> qubus_pub {
    var result = qubus_pub()
    result.struct_size = UInt32(MemoryLayout<qubus_pub>.size)
    result.outputs = pub.outputs.rawValue
    // The final NUL keeps an empty program apart from a missing one.
    let source = array(pub.program + [0])
    result.program = source.map { UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self) }
    result.program_bytes = UInt64(pub.program.count)
    var parameters: [qubus_parameter] = []
    for parameter in pub.parameters { parameters.append(try self.parameter(parameter)) }
    result.parameters = array(parameters)
    result.parameter_count = UInt64(parameters.count)
    var observables: [qubus_observable] = []
    for observable in pub.observables { observables.append(try self.observable(observable)) }
    result.observables = array(observables)
    result.observable_count = UInt64(observables.count)
    result.shots = pub.shots ?? Int64.min
    result.target_precision = pub.targetPrecision ?? 0
    return result
  }

  private func parameter(_ parameter: Parameter) throws(ClientError) -> qubus_parameter {
    var product = 1
    for length in parameter.shape {
      let (next, overflow) = product.multipliedReportingOverflow(by: length)
      guard length >= 0, !overflow else {
        throw ClientError(
          code: QUBUS_E_INVALID_ARGUMENT,
          message: "parameter '\(parameter.name)': the shape \(parameter.shape) is impossible")
      }
      product = next
    }
    guard product == parameter.values.count else {
      throw ClientError(
        code: QUBUS_E_INVALID_ARGUMENT,
        message: "parameter '\(parameter.name)': the shape \(parameter.shape) needs \(product) "
          + "values, \(parameter.values.count) given")
    }
    var result = qubus_parameter()
    result.struct_size = UInt32(MemoryLayout<qubus_parameter>.size)
    result.rank = UInt32(parameter.shape.count)
    result.name = try string(parameter.name, "parameters.name")
    result.shape = array(parameter.shape.map { UInt64($0) })
    result.values = array(parameter.values)
    return result
  }

  private func observable(_ observable: Observable) throws(ClientError) -> qubus_observable {
    var terms: [qubus_pauli_term] = []
    for term in observable.terms {
      var item = qubus_pauli_term()
      item.pauli = try string(term.pauli, "observables.pauli")
      item.coefficient = term.coefficient
      terms.append(item)
    }
    var result = qubus_observable()
    result.struct_size = UInt32(MemoryLayout<qubus_observable>.size)
    result.term_count = UInt32(terms.count)
    result.terms = array(terms)
    return result
  }

  /// libqubus takes 0 for unset, so a given 0 must be refused here.
  private func positive(_ value: Double?, _ field: String) throws(ClientError) -> Double {
    guard let value else { return 0 }
    guard value > 0, value.isFinite else {
      throw ClientError(
        code: QUBUS_E_INVALID_ARGUMENT, message: "\(field): \(value) is not a positive number")
    }
    return value
  }

  /// A copy as a C string; a NUL inside would cut it short, so it is refused.
  private func string(
    _ text: String?, _ field: String
  ) throws(ClientError) -> UnsafePointer<CChar>? {
    guard let text else { return nil }
    let bytes = Array(text.utf8)
    guard !bytes.contains(0) else {
      throw ClientError(
        code: QUBUS_E_NUL_IN_STRING, message: "\(field): the text holds a NUL character")
    }
    return array(bytes + [0]).map { UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self) }
  }

  private func array<Element>(_ elements: [Element]) -> UnsafePointer<Element>? {
    guard !elements.isEmpty else { return nil }
    let block = UnsafeMutablePointer<Element>.allocate(capacity: elements.count)
    block.initialize(from: elements, count: elements.count)
    blocks.append(UnsafeMutableRawPointer(block))
    return UnsafePointer(block)
  }
}

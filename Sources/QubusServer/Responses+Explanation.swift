internal import CQubusProto
internal import QubusEngine
internal import QubusScheduler
internal import QubusWire

extension Responses {
  static func explanation(_ explanation: JobExplanation) -> [UInt8] {
    let builder = MessageBuilder()
    let message = builder.make(qubus__v1__explain_job_response__init)
    message.pointee.job = builder.job(explanation.job)
    (message.pointee.n_constraints, message.pointee.constraints) = builder.list(
      explanation.constraints
    ) { builder.constraint($0) }
    return MessageBuilder.pack(message)
  }
}

extension MessageBuilder {
  fileprivate func constraint(
    _ constraint: WaitConstraint
  ) -> UnsafeMutablePointer<Qubus__V1__WaitConstraint> {
    let message = make(qubus__v1__wait_constraint__init)
    message.pointee.kind = text(constraint.kind.rawValue)
    message.pointee.since = constraint.since
    message.pointee.detail = text(constraint.detail)
    message.pointee.remedy = text(constraint.remedy)
    if let delay = constraint.delay {
      message.pointee.delay_choice_case =
        QUBUS__V1__WAIT_CONSTRAINT__DELAY_CHOICE_DELAY_MICROSECONDS
      message.pointee.delay_microseconds = delay
    }
    return message
  }
}

package import CQubusProto
package import QubusJobs

extension MessageBuilder {
  package func phases(_ ledger: PhaseLedger) -> UnsafeMutablePointer<Qubus__V1__PhaseLedger> {
    let message = make(qubus__v1__phase_ledger__init)
    if let value = ledger.acceptedAt {
      message.pointee.a_case = QUBUS__V1__PHASE_LEDGER__A_ACCEPTED_AT
      message.pointee.accepted_at = value
    }
    if let value = ledger.compiledAt {
      message.pointee.b_case = QUBUS__V1__PHASE_LEDGER__B_COMPILED_AT
      message.pointee.compiled_at = value
    }
    if let value = ledger.queuedAt {
      message.pointee.c_case = QUBUS__V1__PHASE_LEDGER__C_QUEUED_AT
      message.pointee.queued_at = value
    }
    if let value = ledger.reservedAt {
      message.pointee.d_case = QUBUS__V1__PHASE_LEDGER__D_RESERVED_AT
      message.pointee.reserved_at = value
    }
    if let value = ledger.startedAt {
      message.pointee.e_case = QUBUS__V1__PHASE_LEDGER__E_STARTED_AT
      message.pointee.started_at = value
    }
    if let value = ledger.deviceMicroseconds {
      message.pointee.f_case = QUBUS__V1__PHASE_LEDGER__F_DEVICE_MICROSECONDS
      message.pointee.device_microseconds = value
    }
    if let value = ledger.finishedAt {
      message.pointee.g_case = QUBUS__V1__PHASE_LEDGER__G_FINISHED_AT
      message.pointee.finished_at = value
    }
    if let value = ledger.storedAt {
      message.pointee.h_case = QUBUS__V1__PHASE_LEDGER__H_STORED_AT
      message.pointee.stored_at = value
    }
    return message
  }
}

extension PhaseLedger {
  init(wire m: Qubus__V1__PhaseLedger) {
    self.init()
    if m.a_case == QUBUS__V1__PHASE_LEDGER__A_ACCEPTED_AT { acceptedAt = m.accepted_at }
    if m.b_case == QUBUS__V1__PHASE_LEDGER__B_COMPILED_AT { compiledAt = m.compiled_at }
    if m.c_case == QUBUS__V1__PHASE_LEDGER__C_QUEUED_AT { queuedAt = m.queued_at }
    if m.d_case == QUBUS__V1__PHASE_LEDGER__D_RESERVED_AT { reservedAt = m.reserved_at }
    if m.e_case == QUBUS__V1__PHASE_LEDGER__E_STARTED_AT { startedAt = m.started_at }
    if m.f_case == QUBUS__V1__PHASE_LEDGER__F_DEVICE_MICROSECONDS {
      deviceMicroseconds = m.device_microseconds
    }
    if m.g_case == QUBUS__V1__PHASE_LEDGER__G_FINISHED_AT { finishedAt = m.finished_at }
    if m.h_case == QUBUS__V1__PHASE_LEDGER__H_STORED_AT { storedAt = m.stored_at }
  }
}

internal import CQubusProto
internal import QubusCompiler
internal import QubusDevices
internal import QubusWire

extension MessageBuilder {
  func execution(
    _ plan: ExecutionPlan
  ) -> UnsafeMutablePointer<Qubus__V1__ExecutionPlan> {
    let message = make(qubus__v1__execution_plan__init)
    let report = plan.report
    message.pointee.cost_table_version = UInt32(clamping: report.costTableVersion)
    message.pointee.numeric_precision = text(report.precision)
    message.pointee.instruction_set = text(plan.instructionSet)
    message.pointee.gate_count = UInt64(plan.gateCount)
    (message.pointee.n_stages, message.pointee.stages) = list(report.stages) { stage($0) }
    (message.pointee.n_initial_positions, message.pointee.initial_positions) = numbers(
      plan.initialPositions)
    (message.pointee.n_final_positions, message.pointee.final_positions) = numbers(
      plan.finalPositions)
    message.pointee.bytes = report.bytes
    message.pointee.flops = report.flops
    message.pointee.estimated_seconds = report.seconds
    return message
  }

  private func stage(
    _ stage: PlanReport.Stage
  ) -> UnsafeMutablePointer<Qubus__V1__PlanStage> {
    let message = make(qubus__v1__plan_stage__init)
    (message.pointee.n_local_positions, message.pointee.local_positions) = positions(
      stage.localPositions)
    message.pointee.live_positions = UInt32(stage.liveCount)
    (message.pointee.n_blocks, message.pointee.blocks) = list(stage.operations) { block($0) }
    message.pointee.bytes = stage.bytes
    message.pointee.flops = stage.flops
    message.pointee.estimated_seconds = stage.seconds
    return message
  }

  private func block(
    _ operation: PlanReport.Operation
  ) -> UnsafeMutablePointer<Qubus__V1__PlanBlock> {
    let message = make(qubus__v1__plan_block__init)
    message.pointee.kind = text(operation.kind)
    (message.pointee.n_positions, message.pointee.positions) = positions(
      operation.targets.isEmpty ? operation.factors : operation.targets)
    (message.pointee.n_controls, message.pointee.controls) = positions(operation.controls)
    message.pointee.flops = operation.flops
    message.pointee.estimated_seconds = operation.seconds
    return message
  }

  private func positions(_ values: [Int]) -> (Int, UnsafeMutablePointer<UInt32>?) {
    numbers(values.map { UInt32($0) })
  }
}

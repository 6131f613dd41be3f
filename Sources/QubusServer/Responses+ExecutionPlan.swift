internal import CQubusProto
internal import QubusDevices
internal import QubusWire

extension MessageBuilder {
  func execution(
    _ plan: ExecutionPlan
  ) -> UnsafeMutablePointer<Qubus__V1__ExecutionPlan> {
    let message = make(qubus__v1__execution_plan__init)
    message.pointee.cost_table_version = UInt32(clamping: plan.costTableVersion)
    message.pointee.numeric_precision = text(plan.numericPrecision)
    message.pointee.instruction_set = text(plan.instructionSet)
    message.pointee.gate_count = UInt64(plan.gateCount)
    (message.pointee.n_stages, message.pointee.stages) = list(plan.stages) { stage($0) }
    (message.pointee.n_initial_positions, message.pointee.initial_positions) = numbers(
      plan.initialPositions)
    (message.pointee.n_final_positions, message.pointee.final_positions) = numbers(
      plan.finalPositions)
    message.pointee.bytes = plan.bytes
    message.pointee.flops = plan.flops
    message.pointee.estimated_seconds = plan.estimatedSeconds
    return message
  }

  private func stage(
    _ stage: ExecutionPlan.Stage
  ) -> UnsafeMutablePointer<Qubus__V1__PlanStage> {
    let message = make(qubus__v1__plan_stage__init)
    (message.pointee.n_local_positions, message.pointee.local_positions) = numbers(
      stage.localPositions)
    message.pointee.live_positions = UInt32(stage.livePositions)
    (message.pointee.n_blocks, message.pointee.blocks) = list(stage.blocks) { block($0) }
    message.pointee.bytes = stage.bytes
    message.pointee.flops = stage.flops
    message.pointee.estimated_seconds = stage.estimatedSeconds
    return message
  }

  private func block(
    _ block: ExecutionPlan.Block
  ) -> UnsafeMutablePointer<Qubus__V1__PlanBlock> {
    let message = make(qubus__v1__plan_block__init)
    message.pointee.kind = text(block.kind)
    (message.pointee.n_positions, message.pointee.positions) = numbers(block.positions)
    (message.pointee.n_controls, message.pointee.controls) = numbers(block.controls)
    message.pointee.gate_count = UInt32(clamping: block.gateCount)
    message.pointee.flops = block.flops
    message.pointee.estimated_seconds = block.estimatedSeconds
    return message
  }
}

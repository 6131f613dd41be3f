internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

/// Devices on which nothing is to start.
extension TenancyEngine {
  func planDrain(
    of device: String, reason: String, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    let grant = try checkDevice(device, context)
    guard !reason.isEmpty else {
      throw .field(.missingField, "reason", "is required: whoever waits reads it")
    }
    // Drained again, it is drained since it was at first.
    let drain = DeviceDrain(
      device: device, by: context.principal, reason: reason,
      since: drains[device]?.since ?? directory.now())
    return TenancyPlan(
      action: .manageDevices, grant: grant, subject: "device \(device): drained", tenant: "",
      changes: [.drain(drain)]
    ) { .drain(device: device, drain) }
  }

  func planEndOfDrain(
    of device: String, _ context: CallContext
  ) throws(QubusError) -> TenancyPlan {
    let grant = try checkDevice(device, context)
    guard drains[device] != nil else {
      throw QubusError(.illegalTransition, "device \(device) is not drained")
    }
    return TenancyPlan(
      action: .manageDevices, grant: grant, subject: "device \(device): not drained any more",
      tenant: "", changes: [.endDrain(device: device)]
    ) { .drain(device: device, nil) }
  }

  private func checkDevice(
    _ device: String, _ context: CallContext
  ) throws(QubusError) -> Grant? {
    let grant = try context.identity.check(
      .manageDevices, on: Resource(tenant: "", project: ""), now: directory.now())
    try surroundings.devices.checkDevice(device, "device")
    return grant
  }
}

extension [String] {
  /// - Throws: `unknown_device`, listing these, for another name.
  func checkDevice(_ device: String, _ field: String) throws(QubusError) {
    guard !contains(device) else { return }
    throw .field(
      .unknownDevice, field, "there is no device \"\(device)\"",
      limit: "one of: \(joined(separator: ", "))")
  }
}

internal import CQubusKernels
internal import QubusCore

extension KernelContext {
  /// Runs `body` over `0 ..< count` in runs of `grain`, one task each; the last may be shorter.
  /// - Throws: `execution_canceled`.
  func forRuns(
    _ count: Int, grain: Int, _ body: (Range<Int>) -> Void
  ) throws(QubusError) {
    let runs = (count + grain - 1) / grain
    if runs <= 1 {
      if count > 0 { body(0..<count) }
      return
    }
    team.run(parts: runs) { run, _ in
      if cancellation.isCanceled { return }
      body(run * grain..<min((run + 1) * grain, count))
    }
    try check()
  }
}

/// The functions that read states on this processor; every instruction set gives the same bits.
enum Reductions {
  nonisolated(unsafe) static let table: qr_table = {
    guard let table = qr_table_for(KernelTable.best.instructionSet) else {
      preconditionFailure("an instruction set with kernels has reductions")
    }
    return table.pointee
  }()
}

/// Adds 2^k values by halves, so that the tree depends on their number only; overwrites them.
func foldByHalves(_ values: UnsafeMutablePointer<Double>, count: Int) -> Double {
  var half = count / 2
  while half > 0 {
    for index in 0..<half { values[index] += values[index + half] }
    half /= 2
  }
  return values[0]
}

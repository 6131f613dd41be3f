#if canImport(Glibc)
  internal import Glibc
#endif

/// How much of the processors a thread gets beside others.
package enum ThreadPriority {
  /// The niceness from which a thread counts as background.
  package static let background: Int32 = 19
  /// `SCHED_IDLE` of <sched.h>, which is not imported.
  private static let idlePolicy: Int32 = 5

  /// Sets the calling thread's niceness. A background thread also takes the idle policy: any other
  /// thread that wakes then has the processor at once, where by niceness alone it may wait for a
  /// slice of some milliseconds (decision 0010). Where the system refuses, the niceness counts.
  /// - Parameter niceness: 0 … 19.
  package static func set(niceness: Int32) {
    #if canImport(Glibc)
      guard niceness > 0 else { return }
      // On Linux this concerns the calling thread alone.
      setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness)
      guard niceness >= background else { return }
      var parameters = sched_param()
      parameters.sched_priority = 0
      sched_setscheduler(0, idlePolicy, &parameters)
    #endif
  }
}

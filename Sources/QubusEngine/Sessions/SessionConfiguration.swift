package import QubusCore

/// What sessions are set up with; every figure is a limit that errors name.
package struct SessionConfiguration: Sendable {
  /// Open sessions in all, and of one principal.
  package var sessions = 1024
  package var sessionsPerPrincipal = 256
  /// In force when a session asks for none; the limit is the most that one may ask for.
  package var idleSeconds = 600.0
  package var idleSecondsLimit = 86_400.0
  package var wallSeconds = 86_400.0
  package var wallSecondsLimit = 7 * 86_400.0
  package var maxSteps: UInt64 = 1 << 40
  package var maxDeviceSeconds = 86_400.0
  /// Memory of all resident plans together; nil: a quarter of the memory for jobs, on top of it.
  package var memoryBytes: UInt64?
  /// Predicted time up to which a step is evaluated on the transport thread; 0: never.
  package var stepInPlaceSeconds = 50e-6
  /// Time for which the transport thread evaluates steps in one round of messages; as much again
  /// for those that were put off.
  package var roundSeconds = 100e-6
  /// Small steps waiting above which step workers help the transport thread.
  package var smallBacklog = 4
  /// Predicted time from which a step gets all cores while no other step waits or runs.
  package var allCoresSeconds = 1e-3
  /// The same while jobs run: shorter ones stay within their share on one core, without a pause.
  package var allCoresBesideJobsSeconds = 4e-3
  /// Steps of one session that may wait.
  package var pipelinedSteps = 64
  /// Part of the cores that all sessions together may use while jobs run, window by window.
  package var leaseShare = 0.6
  package var leaseMicroseconds: Microseconds = 2000
  /// Of step workers: between the transport (0) and jobs (19).
  package var niceness: Int32 = 5
  /// Bytes of one step's answer.
  package var answerBytes: UInt64 = 256 << 20
  /// Answers kept for a repeated step: so many of the last; larger ones only while they are the
  /// last.
  package var answersKept = 64
  package var keptAnswerBytes: UInt64 = 4096
  /// Least time between two writes of what sessions used.
  package var journalMicroseconds: Microseconds = 500_000
  /// Most shots of a row that is given a standard error to reach and no number of shots.
  package var adaptiveShots: Int64 = 1 << 20
  /// Sessions that ended by a limit and are still known by name without the disk.
  package var endedKept = 256
  /// Time for which an optimization keeps its thread before others have their turn.
  package var sliceMicroseconds: Microseconds = 4000
  package var reportMicroseconds: Microseconds = 20_000
  package var checkpointMicroseconds: Microseconds = 1_000_000
  /// Iterations kept for a watcher that does not read; older ones are replayed when asked for.
  package var iterationsKept = 65_536

  package init() {}
}

package import QubusCore
package import QubusScheduler

/// The rules of the queue as they are in force, for whoever asks.
package struct QueuePolicyReport: Sendable {
  package struct LaneReport: Sendable {
    package var lane: Lane
    /// Of the device while every lane has jobs waiting, 0 to 1.
    package var share: Double
    /// Which jobs are put there, in words.
    package var takes: String
    package var overdueAfter: Microseconds?
    package var jobsQueued: UInt64
    package var jobsQueuedLimit: UInt64

    package init(
      lane: Lane, share: Double, takes: String, overdueAfter: Microseconds?, jobsQueued: UInt64,
      jobsQueuedLimit: UInt64
    ) {
      self.lane = lane
      self.share = share
      self.takes = takes
      self.overdueAfter = overdueAfter
      self.jobsQueued = jobsQueued
      self.jobsQueuedLimit = jobsQueuedLimit
    }
  }

  package var lanes: [LaneReport]
  /// The caller's tenant, project and itself; nobody else's.
  package var standings: [AccountStanding]
  package var rules: FairPolicy
  package var capacity: SchedulerCapacity
  /// Predicted run time from which a job takes every compute slot.
  package var allCoresSeconds: Double
  /// Of jobs that ask for none; nil: no limit.
  package var maxRunSeconds: Double?

  /// - Parameter rules: weights of others are left out of what is told.
  package init(
    lanes: [LaneReport], standings: [AccountStanding], rules: FairPolicy,
    capacity: SchedulerCapacity, allCoresSeconds: Double, maxRunSeconds: Double?
  ) {
    self.lanes = lanes
    self.standings = standings
    self.rules = rules
    self.rules.weights = [:]
    self.capacity = capacity
    self.allCoresSeconds = allCoresSeconds
    self.maxRunSeconds = maxRunSeconds
  }
}

package import QubusCore
internal import QubusJobs
package import QubusTenancy

/// What the present day brought, for the quotas of a service that starts in the middle of it.
extension SQLiteJobStore {
  /// Jobs that were accepted longer ago and ended today are not looked for.
  private static let longestJobMicroseconds: Microseconds = 8 * 86_400_000_000
  /// Ids carry a clock that may differ from that of the stamps.
  private static let clockMarginMicroseconds: Microseconds = 3_600_000_000

  // The planner would rather read all jobs in order of their projects than sort those of a day.
  private static let jobShots = """
    SELECT tenant,project,principal,device,SUM(shots_total),0 FROM jobs NOT INDEXED
    WHERE job >= ? AND accepted_at >= ? GROUP BY 1,2,3,4
    """
  private static let jobTime = """
    SELECT tenant,project,principal,device,0,SUM(device_us) * 1000 FROM jobs NOT INDEXED
    WHERE job >= ? AND finished_at >= ? GROUP BY 1,2,3,4
    """
  private static let sessionUse = """
    SELECT tenant,project,principal,device,
      SUM(shots_used - shots_before),SUM(device_ns - device_ns_before)
    FROM sessions INDEXED BY sessions_by_day WHERE day >= ? GROUP BY 1,2,3,4
    """

  /// Shots of jobs accepted, device time of jobs ended and both of sessions used since the midnight
  /// (UTC) before `now`, one entry for each source, principal
  /// and device.
  package func dayUse(now: Microseconds) throws(QubusError) -> [DayUse] {
    let day = QuotaBook.day(of: now)
    let midnight = day * 86_400_000_000
    return try readers.read { db in
      var use: [DayUse] = []
      let reads: [(sql: String, values: [Int64])] = [
        (Self.jobShots, [Self.job(at: midnight - Self.clockMarginMicroseconds), midnight]),
        (Self.jobTime, [Self.job(at: midnight - Self.longestJobMicroseconds), midnight]),
        (Self.sessionUse, [day]),
      ]
      for read in reads {
        let select = try db.ready(read.sql)
        defer { select.rewind() }
        for value in read.values { select.add(value) }
        while try select.step() {
          var row = select.row
          use.append(
            DayUse(
              principal: Principal(tenant: row.text(), project: row.text(), name: row.text()),
              deviceFamily: Resource.family(ofDevice: row.text()),
              shots: row.unsigned(), deviceNanoseconds: row.unsigned()))
        }
      }
      return use
    }
  }

  /// The first key of rows whose id was made then.
  private static func job(at time: Microseconds) -> Int64 {
    JobNumber.first(of: Identifier(high: UInt64(max(0, time / 1000)) << 16, low: 0))
  }
}

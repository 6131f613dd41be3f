import QubusCore
import QubusSchedulerTraces

/// EASY backfill as one would explain it, everything computed anew at every instant; estimates are
/// the requested times. Start times by place in the trace.
func referenceBackfillStarts(_ trace: Trace) -> [Microseconds] {
  let jobs = trace.jobs
  func estimate(_ job: Int) -> Microseconds { jobs[job].requestedTime ?? jobs[job].runTime }
  var starts: [Microseconds?] = Array(repeating: nil, count: jobs.count)
  var now: Microseconds = 0
  while starts.contains(nil) {
    func running() -> [Int] {
      jobs.indices.filter { job in
        starts[job].map { $0 + jobs[job].runTime > now } ?? false
      }
    }
    func free() -> Int { trace.processors - running().reduce(0) { $0 + jobs[$1].processors } }
    func waiting() -> [Int] {
      jobs.indices.filter { starts[$0] == nil && jobs[$0].submitted <= now }
    }
    while let first = waiting().first, jobs[first].processors <= free() { starts[first] = now }
    if let first = waiting().first {
      // The first instant at which enough of the running jobs should be gone.
      let ends = running().map { max(starts[$0]! + estimate($0), now + 1) }
      let shadow =
        ends.sorted().first { time in
          let gone = zip(running(), ends).filter { $0.1 <= time }
          return free() + gone.reduce(0) { $0 + jobs[$1.0].processors } >= jobs[first].processors
        } ?? now
      let gone = zip(running(), ends).filter { $0.1 <= shadow }
      var extra =
        free() + gone.reduce(0) { $0 + jobs[$1.0].processors } - jobs[first].processors
      for job in waiting().dropFirst() where jobs[job].processors <= free() {
        if now + max(1, estimate(job)) <= shadow {
          starts[job] = now
        } else if jobs[job].processors <= extra {
          extra -= jobs[job].processors
          starts[job] = now
        }
      }
    }
    let ends = running().map { starts[$0]! + jobs[$0].runTime }
    let arrivals = jobs.map(\.submitted).filter { $0 > now }
    guard let next = (ends + arrivals).min() else { break }
    now = next
  }
  return starts.map { $0 ?? -1 }
}

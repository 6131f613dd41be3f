internal import GRDB
internal import QubusCore
internal import QubusJobs

/// Jobs with their requests and events.
extension StoreSealing {
  private struct Job {
    var number: Int64
    var id: Identifier
    var tenant: String
    var project: String
    var columns: JobColumns
    var hasRequest: Bool
  }

  func sealJobs() throws -> Int {
    var last = Int64.min
    return try pages {
      let jobs = try read(
        """
        SELECT job,id,tenant,project,name,tags,notices,annotations,error,request FROM jobs
        WHERE job > ? ORDER BY job LIMIT \(Self.pageRows)
        """, { $0.add(last) }, Self.job)
      for job in jobs { try seal(job) }
      last = jobs.last?.number ?? last
      return (jobs.count, jobs.count)
    }
  }

  private static func job(_ row: inout SQLRow) throws -> Job {
    let number = row.integer()
    let id = try identifier(&row)
    let (tenant, project) = (row.text(), row.text())
    let name = row.text()
    let (tags, notices, annotations) = (row.blob(), row.blob(), row.blob())
    let (error, request) = (row.optionalBlob(), row.optionalBlob())
    return Job(
      number: number, id: id, tenant: tenant, project: project,
      columns: JobColumns(
        name: name, tags: tags, notices: notices, annotations: annotations, error: error,
        request: request ?? []), hasRequest: request != nil)
  }

  static func identifier(_ row: inout SQLRow) throws -> Identifier {
    guard let id = row.identifier() else {
      throw QubusError(.dataDirectoryCorrupt, "the database is damaged: a row has no id")
    }
    return id
  }

  private func seal(_ job: Job) throws {
    guard case .open(let key) = vault[job.tenant] else { return }
    var columns = job.columns
    let tags = DataKey.isSealed(columns.tags) ? [] : PackedStrings.unpack(columns.tags)
    guard let tags else {
      throw QubusError(.dataDirectoryCorrupt, "the database is damaged: tags of \(job.id)")
    }
    try columns.sealPlain(of: job.id, with: key)
    try write(
      """
      UPDATE jobs SET name = ?, tags = ?, notices = ?, annotations = ?, error = ?, request = ?
      WHERE job = ?
      """
    ) {
      $0.add(columns.name)
      $0.add(columns.tags)
      $0.add(columns.notices)
      $0.add(columns.annotations)
      $0.add(columns.error)
      $0.add(job.hasRequest ? columns.request : nil)
      $0.add(job.number)
    }
    for tag in tags {
      try write(
        "UPDATE job_tags SET tag = ? WHERE tenant = ? AND project = ? AND tag = ? AND id = ?"
      ) {
        $0.add(key.mark(tag, of: JobColumns.tagColumn))
        $0.add(job.tenant)
        $0.add(job.project)
        $0.add(tag)
        $0.add(job.id)
      }
    }
  }

  func sealRequests() throws -> Int {
    var last = Int64.min
    return try pages {
      let rows = try read(
        """
        SELECT requests.job,jobs.id,requests.tenant,requests.request FROM requests
        JOIN jobs ON jobs.job = requests.job
        WHERE requests.job > ? ORDER BY requests.job LIMIT \(Self.pageChunks)
        """, { $0.add(last) }
      ) { row in
        (row.integer(), try Self.identifier(&row), row.text(), row.blob())
      }
      for (number, id, tenant, request) in rows {
        let sealed = try seal(request, of: tenant, at: .request(id))
        try write("UPDATE requests SET request = ? WHERE job = ?") {
          $0.add(sealed)
          $0.add(number)
        }
      }
      last = rows.last?.0 ?? last
      return (rows.count, rows.count)
    }
  }

  private struct Event {
    var job: Int64
    var sequence: Int64
    var id: Identifier
    var tenant: String
    var time: Microseconds
    var attempt: UInt32
    var body: [UInt8]
  }

  func sealEvents() throws -> Int {
    var last = (job: Int64.min, sequence: Int64.min)
    return try pages {
      let events = try read(
        """
        SELECT events.job,sequence,jobs.id,events.tenant,time,events.attempt,body FROM events
        JOIN jobs ON jobs.job = events.job
        WHERE (events.job, sequence) > (?, ?) AND length(body) > 0
        ORDER BY events.job, sequence LIMIT \(Self.pageRows)
        """,
        {
          $0.add(last.job)
          $0.add(last.sequence)
        }
      ) { row in
        Event(
          job: row.integer(), sequence: row.integer(), id: try Self.identifier(&row),
          tenant: row.text(), time: row.integer(),
          attempt: UInt32(truncatingIfNeeded: row.integer()), body: row.blob())
      }
      for event in events {
        let sealed = try seal(
          event.body, of: event.tenant,
          at: .event(event.id, event.time, attempt: event.attempt))
        try write("UPDATE events SET body = ? WHERE job = ? AND sequence = ?") {
          $0.add(sealed)
          $0.add(event.job)
          $0.add(event.sequence)
        }
      }
      if let event = events.last { last = (event.job, event.sequence) }
      return (events.count, events.count)
    }
  }
}

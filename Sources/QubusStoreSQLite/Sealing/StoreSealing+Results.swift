internal import GRDB
internal import QubusCore
internal import QubusJobs

/// Results: rows, chunks in rows, chunks in files.
extension StoreSealing {
  func sealResults() throws -> Int {
    var last = Int64.min
    return try pages {
      let rows = try read(
        """
        SELECT results.job,jobs.id,results.tenant,manifest,provenance,chunks FROM results
        JOIN jobs ON jobs.job = results.job
        WHERE results.job > ? ORDER BY results.job LIMIT \(Self.pageRows)
        """, { $0.add(last) }
      ) { row in
        (
          row.integer(), try Self.identifier(&row), row.text(), row.blob(), row.blob(),
          row.optionalBlob()
        )
      }
      for (number, id, tenant, manifest, provenance, chunks) in rows {
        let sealed = (
          try seal(manifest, of: tenant, at: .manifest(id)),
          try seal(provenance, of: tenant, at: .provenance(id)),
          try chunks.map { try seal($0, of: tenant, at: .chunks(id)) }
        )
        try write("UPDATE results SET manifest = ?, provenance = ?, chunks = ? WHERE job = ?") {
          $0.add(sealed.0)
          $0.add(sealed.1)
          $0.add(sealed.2)
          $0.add(number)
        }
      }
      last = rows.last?.0 ?? last
      return (rows.count, rows.count)
    }
  }

  private struct Chunk {
    var job: Int64
    var id: Identifier
    var tenant: String
    var item: Int64
    var chunk: Int64
    var content: [UInt8]
  }

  func sealChunks() throws -> Int {
    var last: (Int64, Int64, Int64) = (.min, .min, .min)
    return try pages {
      let chunks = try read(
        """
        SELECT result_chunks.job,jobs.id,result_chunks.tenant,item,chunk,content FROM result_chunks
        JOIN jobs ON jobs.job = result_chunks.job
        WHERE (result_chunks.job, item, chunk) > (?, ?, ?) AND encoding IN (0, 1)
        ORDER BY result_chunks.job, item, chunk LIMIT \(Self.pageChunks)
        """,
        {
          $0.add(last.0)
          $0.add(last.1)
          $0.add(last.2)
        }
      ) { row in
        Chunk(
          job: row.integer(), id: try Self.identifier(&row), tenant: row.text(),
          item: row.integer(), chunk: row.integer(), content: row.blob())
      }
      for chunk in chunks {
        let sealed = try seal(
          chunk.content, of: chunk.tenant,
          at: .chunk(chunk.id, item: Int(chunk.item), chunk: Int(chunk.chunk)))
        try write("UPDATE result_chunks SET content = ? WHERE job = ? AND item = ? AND chunk = ?") {
          $0.add(sealed)
          $0.add(chunk.job)
          $0.add(chunk.item)
          $0.add(chunk.chunk)
        }
      }
      if let chunk = chunks.last { last = (chunk.job, chunk.item, chunk.chunk) }
      return (chunks.count, chunks.count)
    }
  }

  /// One item of a result in a file.
  private struct Item {
    var job: Int64
    var id: Identifier
    var tenant: String
    var item: Int64
  }

  /// The sealed file first, then the rows that name it; the plain one goes when no row does.
  func sealFiles() throws -> Int {
    var last: (Int64, Int64) = (.min, .min)
    return try pages {
      let items = try read(
        """
        SELECT DISTINCT result_chunks.job,jobs.id,result_chunks.tenant,item FROM result_chunks
        JOIN jobs ON jobs.job = result_chunks.job
        WHERE (result_chunks.job, item) > (?, ?) AND encoding = 2
        ORDER BY result_chunks.job, item LIMIT 1
        """,
        {
          $0.add(last.0)
          $0.add(last.1)
        }
      ) { row in
        Item(
          job: row.integer(), id: try Self.identifier(&row), tenant: row.text(),
          item: row.integer())
      }
      for item in items {
        try seal(item)
        last = (item.job, item.item)
      }
      return (items.count, items.count)
    }
  }

  private func seal(_ item: Item) throws {
    guard case .open(let key) = vault[item.tenant] else { return }
    let chunks = try read(
      """
      SELECT bytes,sha256,file,offset FROM result_chunks WHERE job = ? AND item = ? ORDER BY chunk
      """,
      {
        $0.add(item.job)
        $0.add(item.item)
      }
    ) { row in (row.unsigned(), row.blob(), row.blob(), row.unsigned()) }
    var data: [UInt8] = []
    var infos: [ResultChunkInfo] = []
    for (bytes, sha256, file, offset) in chunks {
      // A file that is damaged stays what it is: its chunks are refused when they are read.
      guard let part = blobs.read(sha256: file, offset: offset, count: Int(bytes)) else { return }
      infos.append(ResultChunkInfo(offset: UInt64(data.count), bytes: bytes, sha256: sha256))
      data += part
    }
    let sealed = try StoredResult.writeSealed(
      data, item: Int(item.item), infos, of: item.id, to: blobs, with: key)
    for chunk in sealed {
      try write(
        """
        UPDATE result_chunks SET encoding = ?, file = ?, offset = ?
        WHERE job = ? AND item = ? AND chunk = ?
        """
      ) {
        $0.add(chunk.encoding.rawValue)
        $0.add(chunk.file)
        $0.add(chunk.offset)
        $0.add(item.job)
        $0.add(item.item)
        $0.add(chunk.chunk)
      }
    }
  }
}

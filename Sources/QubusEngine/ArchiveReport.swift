package import QubusCore
package import QubusJobs

/// Everything of an archive but its events and its data.
package struct ArchiveReport: Sendable {
  package var job: JobView
  /// Sources, one for each pub.
  package var programs: [[UInt8]]
  package var manifest: ResultManifest
  package var provenance: Provenance
  package var archivedBy: Principal
  package var archivedAt: Microseconds

  package init(
    job: JobView, programs: [[UInt8]], manifest: ResultManifest, provenance: Provenance,
    archivedBy: Principal, archivedAt: Microseconds
  ) {
    self.job = job
    self.programs = programs
    self.manifest = manifest
    self.provenance = provenance
    self.archivedBy = archivedBy
    self.archivedAt = archivedAt
  }
}

/// One chunk of a result that comes back from an archive.
package struct ArchivedChunk: Sendable, Hashable {
  package var jobID: Identifier
  /// Of the archive's manifest.
  package var executionHash: [UInt8]
  /// Indices into the manifest.
  package var item: Int
  package var chunk: Int
  package var data: [UInt8]

  package init(
    jobID: Identifier, executionHash: [UInt8], item: Int, chunk: Int, data: [UInt8]
  ) {
    self.jobID = jobID
    self.executionHash = executionHash
    self.item = item
    self.chunk = chunk
    self.data = data
  }
}

package struct RestoreReport: Sendable {
  package var job: JobView
  /// 0: the result is there.
  package var chunksMissing: Int
  /// It had not gone: nothing was changed.
  package var wasThere: Bool

  package init(job: JobView, chunksMissing: Int, wasThere: Bool) {
    self.job = job
    self.chunksMissing = chunksMissing
    self.wasThere = wasThere
  }
}

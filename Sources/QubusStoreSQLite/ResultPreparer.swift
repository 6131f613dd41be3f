internal import QubusCore
internal import QubusJobs

/// Compresses large results and writes their files beside the writer, so that a 256 MiB state never
/// stalls it.
final class ResultPreparer: Sendable {
  private let queue: WriteQueue
  private let codec: any JobCodec
  private let blobs: BlobFiles
  private let inlineLimit: Int
  private let onFatal: @Sendable (SQLiteFailure) -> Void

  init(
    queue: WriteQueue, codec: any JobCodec, blobs: BlobFiles, inlineLimit: Int,
    onFatal: @escaping @Sendable (SQLiteFailure) -> Void
  ) {
    self.queue = queue
    self.codec = codec
    self.blobs = blobs
    self.inlineLimit = inlineLimit
    self.onFatal = onFatal
  }

  func run() {
    while let task = queue.takePreparation() {
      guard task.needsPreparation, case .update(var work) = task.work,
        let result = work.update.result
      else {
        queue.finishPreparation(of: task, as: task)
        continue
      }
      do throws(SQLiteFailure) {
        work.result = try StoredResult(
          result, codec: codec, blobs: blobs, inlineLimit: inlineLimit, key: work.key)
        // The bytes are in files or rows now; keep no second copy while it waits.
        work.update.result?.data = []
        queue.finishPreparation(of: task, as: WriteTask(.update(work)))
      } catch {
        if error.kind == .fatal { onFatal(error) }
        task.fail(error.error(at: blobs.root))
        queue.finishPreparation(of: task, as: nil)
      }
    }
  }
}

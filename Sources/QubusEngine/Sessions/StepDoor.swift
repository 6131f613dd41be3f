internal import QubusCore
internal import Synchronization

/// What the transport thread alone knows of sessions, so that it finds one without a lock. Others
/// leave their changes in a mailbox, which it looks into when a flag says so.
///
/// `@unchecked Sendable`: `sessions` and `roundNanoseconds` are the transport thread's, the mailbox
/// is behind its lock.
final class StepDoor: @unchecked Sendable {
  private enum Change: Sendable {
    case add(Session)
    case remove(Identifier)
  }
  private let mailbox = Monitor<[Change]>([])
  private let hasMail = Atomic<Bool>(false)
  private var sessions: [Identifier: Session] = [:]
  /// Time spent on steps in place since the last round of messages.
  var roundNanoseconds: UInt64 = 0

  /// On the transport thread.
  @inline(__always)
  func session(_ id: Identifier) -> Session? {
    if hasMail.load(ordering: .relaxed) { readMail() }
    return sessions[id]
  }

  func add(_ session: Session) { leave(.add(session)) }
  func remove(_ id: Identifier) { leave(.remove(id)) }

  private func leave(_ change: Change) {
    mailbox.withLock { $0.append(change) }
    hasMail.store(true, ordering: .releasing)
  }

  private func readMail() {
    hasMail.store(false, ordering: .relaxed)
    let changes = mailbox.withLock { mailbox in
      defer { mailbox.removeAll(keepingCapacity: true) }
      return mailbox
    }
    for change in changes {
      switch change {
      case .add(let session): sessions[session.id] = session
      case .remove(let id): sessions[id] = nil
      }
    }
  }
}

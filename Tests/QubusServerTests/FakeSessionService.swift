import CAllocationCounter
import QubusCore
import QubusEngine
import QubusJobs
import QubusSimulator
import QubusTenancy

/// Sessions as the server sees them: values are sums of the parameters, and a test says when and
/// where a step runs.
final class FakeSessionService: SessionService {
  enum Mode { case inPlace, held, due }

  /// `@unchecked Sendable`: used under the service's lock.
  final class Session: @unchecked Sendable {
    let id: Identifier
    var spec: SessionSpec
    var principal: Principal
    var holder: UInt64
    var expected: UInt64 = 1
    var isClosed = false
    let result = StepResult()

    init(id: Identifier, spec: SessionSpec, principal: Principal, holder: UInt64) {
      self.id = id
      self.spec = spec
      self.principal = principal
      self.holder = holder
    }

    /// Two observables: once and twice the sum of a row.
    func evaluate(_ call: StepCall, _ numbers: UnsafeRawBufferPointer, into result: StepResult) {
      let (rows, columns) = (call.order.rows, call.columns)
      let hasGradients = call.order.outputs.contains(.gradients)
      let isSampled = call.order.shots > 0
      result.sequence = call.order.sequence
      result.rows = rows
      result.columns = columns
      result.observables = 2
      result.bitCount = 65
      result.qubitCount = 2
      result.deviceNanoseconds = 1500
      result.answer.prepare(
        values: 2 * rows, standardErrors: isSampled ? 2 * rows : 0,
        gradients: hasGradients ? 2 * rows * columns : 0,
        amplitudes: call.order.outputs.contains(.stateVector) ? 8 * rows : 0)
      for row in 0..<rows {
        var sum = 0.0
        for column in 0..<columns {
          sum += numbers.load(fromByteOffset: 8 * (row * columns + column), as: Double.self)
        }
        for observable in 0..<2 {
          result.answer.values[2 * row + observable] = sum * Double(observable + 1)
          if isSampled { result.answer.standardErrors[2 * row + observable] = 0.5 }
          guard hasGradients else { continue }
          for column in 0..<columns {
            result.answer.gradients[(2 * row + observable) * columns + column] = Double(column)
          }
        }
      }
      for index in result.answer.amplitudes.indices {
        result.answer.amplitudes[index] = Double(index)
      }
      result.answer.shotsUsed = call.order.shots * UInt64(rows)
      if call.order.outputs.contains(.counts) {
        result.answer.counts = (0..<rows).map { row in
          var counts = Counts(bitCount: 65)
          counts.keys = row == 0 ? [1, 0, 2, 1] : [7, 0]
          counts.values = row == 0 ? [10, 20] : [30]
          return counts
        }
      }
    }
  }

  struct Waiting {
    let call: StepCall
    let result: StepResult
    let sink: any StepSink
  }

  struct State {
    var sessions: [Identifier: Session] = [:]
    var mode = Mode.inPlace
    var waiting: [Waiting] = []
    var abandoned: [StepTag] = []
    var steps = 0
    /// Allocations of the transport thread before its latest step, and before step 200.
    var allocations: (early: UInt64, late: UInt64) = (0, 0)
    var refusal: QubusError?
    var spec: OptimizeSpec?
    var watched: UInt64?
    var watcher: (any OptimizationWatcher)?
    var watchesEnded = 0
    var contexts: [CallContext] = []
    /// Opens of the name "slow", not answered yet.
    var slowOpens: [SlowOpen] = []
  }
  struct SlowOpen {
    let answer: @Sendable () -> Void
  }

  let state = Lock(State())
  private let ids = IdentifierSource(clock: SystemClock())
  static let secret: [UInt8] = [1, 2, 3, 4]
  static let optimization = Identifier(high: 0x018f_3f5e_7c1a_7000, low: 0x8000_0123_4567_89ab)

  // MARK: What tests do

  func set(_ mode: Mode) { state.withLock { $0.mode = mode } }

  func refuse(_ error: QubusError?) { state.withLock { $0.refusal = error } }

  /// Answers the steps that are held, on the caller's thread.
  func release() {
    let waiting = state.withLock { state in
      defer { state.waiting = [] }
      return state.waiting
    }
    for step in waiting { step.sink.stepAnswered(step.call.tag, step.result) }
  }

  func add(holder: UInt64 = 0) -> Identifier {
    let id = ids.next()
    let principal = Principal(tenant: "default", project: "default", name: "test")
    state.withLock {
      $0.sessions[id] = Session(
        id: id, spec: SessionSpec(program: [65]), principal: principal, holder: holder)
    }
    return id
  }

  var watcher: (any OptimizationWatcher)? { state.withLock { $0.watcher } }

  private func view(_ session: Session) -> SessionView {
    var record = SessionRecord(
      id: session.id, principal: session.principal, request: [], seed: session.spec.seed ?? 7,
      openedAt: 11)
    record.name = session.spec.name
    record.tags = session.spec.tags
    record.state = session.isClosed ? .closed : .open
    record.closedAt = session.isClosed ? 12 : nil
    record.usage.lastSequence = session.expected - 1
    record.usage.deviceNanoseconds = 2500
    var view = SessionView(record: record)
    view.parameters = ["a", "b"]
    view.outputs = [.values, .gradients]
    view.observableCount = 2
    view.shots = session.spec.shots
    return view
  }

  private func find(_ id: Identifier) throws(QubusError) -> Session {
    guard let session = state.withLock({ $0.sessions[id] }) else {
      throw QubusError(.sessionNotFound, "there is no session \(id)")
    }
    return session
  }

  // MARK: SessionService

  func openSession(
    _ spec: SessionSpec, request: [UInt8], holder: UInt64, context: CallContext,
    completion: @escaping @Sendable (Result<OpenedSession, QubusError>) -> Void
  ) {
    guard spec.name != "refuse" else {
      completion(
        .failure(QubusError(.tooManySessions, "full", retryAfterMilliseconds: 100)))
      return
    }
    let session = Session(
      id: ids.next(), spec: spec, principal: context.principal, holder: holder)
    state.withLock {
      $0.sessions[session.id] = session
      $0.contexts.append(context)
    }
    let answer: @Sendable () -> Void = { [self] in
      completion(.success(OpenedSession(session: view(session), secret: Self.secret)))
    }
    guard spec.name == "slow" else { return answer() }
    state.withLock { $0.slowOpens.append(SlowOpen(answer: answer)) }
  }

  /// Answers the opens that are held, on the caller's thread.
  func releaseOpens() {
    let opens = state.withLock { state in
      defer { state.slowOpens = [] }
      return state.slowOpens
    }
    for open in opens { open.answer() }
  }

  /// Sessions that were closed, by the order of their ids.
  var closed: [Bool] {
    state.withLock { state in
      state.sessions.values.sorted { $0.id < $1.id }.map(\.isClosed)
    }
  }

  func resumeSession(
    _ id: Identifier, secret: [UInt8], lastSequence: UInt64, holder: UInt64,
    context: CallContext,
    completion: @escaping @Sendable (Result<ResumedSession, QubusError>) -> Void
  ) {
    completion(
      Result { () throws(QubusError) in
        let session = try find(id)
        guard secret == Self.secret else {
          throw QubusError(.sessionNotFound, "there is no session \(id) with this secret")
        }
        state.withLock { _ in session.holder = holder }
        return ResumedSession(
          session: view(session), nextSequence: max(session.expected, lastSequence + 1),
          wasRebuilt: lastSequence > 0)
      })
  }

  func closeSession(
    _ id: Identifier, context: CallContext,
    completion: @escaping @Sendable (Result<SessionView, QubusError>) -> Void
  ) {
    completion(
      Result { () throws(QubusError) in
        let session = try find(id)
        state.withLock { _ in session.isClosed = true }
        return view(session)
      })
  }

  func session(_ id: Identifier, context: CallContext) throws(QubusError) -> SessionView {
    view(try find(id))
  }

  func sessions(
    includeEnded: Bool, before: Identifier?, limit: Int, context: CallContext
  ) throws(QubusError) -> [SessionView] {
    let found = state.withLock { state in
      state.sessions.values.filter { session in
        (includeEnded || !session.isClosed) && (before.map { session.id < $0 } ?? true)
      }
    }
    return found.sorted { $0.id > $1.id }.prefix(limit).map { view($0) }
  }

  func step(
    _ call: StepCall, parameters: UnsafeRawBufferPointer, identity: Identity, holder: UInt64,
    sink: any StepSink
  ) -> StepDisposition {
    state.withLock { state in
      state.steps += 1
      state.allocations.late = allocation_count()
      if state.steps == 200 { state.allocations.early = state.allocations.late }
      if let refusal = state.refusal { return .refused(refusal) }
      guard let session = state.sessions[call.session], !session.isClosed else {
        return .refused(QubusError(.sessionNotFound, "there is no session \(call.session)"))
      }
      guard session.holder == 0 || session.holder == holder else {
        return .refused(QubusError(.sessionHeldElsewhere, "another connection steps it"))
      }
      guard call.order.sequence == session.expected else {
        return .refused(
          QubusError(.stepOutOfOrder, "\(call.order.sequence) came, \(session.expected) is next"))
      }
      session.expected += 1
      if state.mode == .inPlace {
        session.evaluate(call, parameters, into: session.result)
        return .answered(session.result)
      }
      let result = StepResult()
      session.evaluate(call, parameters, into: result)
      state.waiting.append(Waiting(call: call, result: result, sink: sink))
      return .pending
    }
  }

  func runDueSteps(sink: any StepSink) -> Bool {
    let (next, hasMore) = state.withLock { state -> (Waiting?, Bool) in
      guard state.mode == .due, !state.waiting.isEmpty else { return (nil, false) }
      return (state.waiting.removeFirst(), !state.waiting.isEmpty)
    }
    if let next { sink.stepAnswered(next.call.tag, next.result) }
    return hasMore
  }

  func abandonStep(_ session: Identifier, _ tag: StepTag) {
    state.withLock {
      $0.abandoned.append(tag)
      $0.waiting.removeAll { $0.call.tag == tag }
    }
  }

  func optimize(
    _ spec: OptimizeSpec, holder: UInt64, context: CallContext,
    watcher: any OptimizationWatcher
  ) {
    state.withLock {
      $0.spec = spec
      $0.watcher = watcher
    }
    guard spec.method != "refuse" else {
      watcher.ended(.failure(QubusError(.invalidOptimizer, "unknown method")))
      return
    }
    watcher.started(Self.optimization)
  }

  func watchOptimization(
    _ id: Identifier, session: Identifier, after: UInt64, context: CallContext,
    watcher: any OptimizationWatcher
  ) {
    guard id == Self.optimization else {
      watcher.ended(.failure(QubusError(.optimizationNotFound, "there is no optimization \(id)")))
      return
    }
    state.withLock {
      $0.watched = after
      $0.watcher = watcher
    }
    watcher.started(id)
  }

  func endWatch(_ watcher: any OptimizationWatcher) {
    state.withLock {
      $0.watchesEnded += 1
      if $0.watcher === watcher { $0.watcher = nil }
    }
  }

  func cancelOptimization(
    _ id: Identifier, session: Identifier, context: CallContext
  ) throws(QubusError) -> Bool {
    guard id == Self.optimization else {
      throw QubusError(.optimizationNotFound, "there is no optimization \(id)")
    }
    return state.withLock { $0.watcher != nil }
  }
}

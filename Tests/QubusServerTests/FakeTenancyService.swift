import QubusCore
import QubusEngine
import QubusJobs
import QubusTenancy

/// Notes what it was asked and answers with what the test set.
final class FakeTenancyService: TenancyService {
  struct Asked: Sendable, Equatable {
    var orders: [TenancyOrder] = []
    var reasons: [String] = []
    var queries: [TenancyQuery] = []
    var principals: [Principal] = []
  }
  let asked = Lock(Asked())
  let result = Lock<Result<TenancyAnswer, QubusError>>(.success(.tokenRevoked))

  func answer(
    _ query: TenancyQuery, context: CallContext
  ) throws(QubusError) -> TenancyAnswer {
    asked.withLock {
      $0.queries.append(query)
      $0.principals.append(context.principal)
    }
    return try result.withLock { $0 }.get()
  }

  func perform(
    _ order: TenancyOrder, reason: String, context: CallContext,
    completion: @escaping @Sendable (Result<TenancyAnswer, QubusError>) -> Void
  ) {
    asked.withLock {
      $0.orders.append(order)
      $0.reasons.append(reason)
      $0.principals.append(context.principal)
    }
    completion(result.withLock { $0 })
  }
}

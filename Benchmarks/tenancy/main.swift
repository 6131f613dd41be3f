// What deciding over a call costs, in nanoseconds: the issue asks for at most 2 µs on the hot path.
// Run: swift run -c release tenancy-bench
internal import QubusCore
internal import QubusJobs
internal import QubusTenancy

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

func nanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Rounds of `count` calls each; tells of the median and the slowest of a hundred, per call.
func measure(_ name: String, count: Int = 1000, rounds: Int = 2000, _ body: () -> Bool) {
  var times: [Double] = []
  var isTrue = true
  for _ in 0..<rounds {
    let start = nanoseconds()
    for _ in 0..<count { isTrue = body() && isTrue }
    times.append(Double(nanoseconds() - start) / Double(count))
  }
  precondition(isTrue, "\(name) was decided otherwise")
  times.sort()
  let (median, slow) = (times[rounds / 2], times[rounds * 99 / 100])
  print("\(name): p50 \(median.rounded()) ns, p99 \(slow.rounded()) ns")
}

let alice = Principal(tenant: "lab", project: "qc", name: "alice")
let key = String(repeating: "k", count: 40)
let clock = SystemClock()
var snapshot = TenancySnapshot()
snapshot.tenants = [TenantRecord(name: "lab", createdAt: 0)]
snapshot.projects = [ProjectRecord(tenant: "lab", name: "qc", owner: "", createdAt: 0)]
snapshot.principals = [PrincipalRecord(principal: alice, uid: 1000, createdAt: 0)]
snapshot.keys = [ClientKeyRecord(key: key, principal: alice, createdAt: 0)]
for index in 0..<15 {
  snapshot.grants.append(
    GrantRecord(
      principal: alice,
      grant: Grant(.viewer, Scope(tenant: "lab", project: "project-\(index)"))))
}
let grant = Grant(.submitter, Scope(tenant: "lab", project: "qc"))
snapshot.grants.append(GrantRecord(principal: alice, grant: grant))

let directory = Directory(snapshot, policy: LocalPolicy(ownUID: 0), clock: clock)
var expiring = snapshot
expiring.keys[0].expiresAt = clock.now() + 3_600_000_000
let expiringDirectory = Directory(expiring, policy: LocalPolicy(ownUID: 0), clock: clock)
guard let many = directory.identity(of: .key(key)) else { fatalError("no identity") }
let one = Identity(principal: alice, credential: .key(key), grants: [grant])
let own = alice.resource
let foreign = Resource(tenant: "acme", project: "main", owner: "dave")
let absent = QubusError(.jobNotFound, "no such job")

measure("a step's decision, one grant") {
  Authority.decide(one, .stepSessions, on: own, now: 0) != .hidden
}
measure("a step's decision, the last of 16 grants") {
  Authority.decide(many, .stepSessions, on: own, now: 0) != .hidden
}
measure("another tenant's job, 16 grants: hidden") {
  Authority.decide(many, .readJobs, on: foreign, now: 0) == .hidden
}
measure("check of a job, 16 grants") {
  (try? many.check(.cancelJobs, on: own, now: 0, hidden: absent)) != nil
}
measure("may anywhere, 16 grants") { Authority.mayAnywhere(many, .stepSessions, now: 0) }
measure("version of the directory") { directory.version > 0 }
measure("version while something is to expire") { expiringDirectory.version > 0 }
measure("identity of a key, kept") { directory.identity(of: .key(key)) === many }

let keys = try TokenKeys(path: "/tmp/tenancy-bench-\(getpid()).key")
let issuer = TokenIssuer(
  keys: keys, service: "bench", directory: directory,
  identifiers: IdentifierSource(clock: clock))
let issued = try issuer.issue(
  TokenRequest(
    boundTo: .key(key), actions: [.submitJobs, .readJobs, .readResults], project: "qc"), for: one)
directory.apply(.issueToken(issued.record))
let verifier = TokenVerifier(keys: keys, service: "bench", directory: directory)
guard let connection = directory.identity(of: .key(key)) else { fatalError("no identity") }
let token = issued.text
let forged = String(token.dropLast(10)) + "AAAAAAAAAA"
let foreignToken = String(token.dropFirst())
measure("a token checked for the first time", count: 1, rounds: 5000) {
  (try? verifier.identity(token, over: connection)) != nil
}
measure("a forged token refused", count: 1, rounds: 5000) {
  (try? verifier.identity(forged, over: connection)) == nil
}
measure("a token without our header refused", count: 100) {
  (try? verifier.identity(foreignToken, over: connection)) == nil
}
unlink("/tmp/tenancy-bench-\(getpid()).key")

import QubusCore
import QubusJobs
import QubusTenancy
import Testing

/// Random jobs of projects with credit, subscriptions and caps: submitted, run chunk by chunk,
/// failed, canceled, stopped at a cap, lost in a kill between the ledger and the disk, and taken up
/// again after it.
private struct LedgerRun {
  static let price = Price(perJob: 500, perShot: 7, perDeviceSecond: 1_234_567)
  static let chunkShots: UInt64 = 100
  static let mostChunkMicroseconds: Microseconds = 40_000
  static let chunkCost = Price(perShot: 7, perDeviceSecond: 1_234_567).cost(
    shots: chunkShots, deviceMicroseconds: mostChunkMicroseconds)

  struct Job {
    var id: Identifier
    var principal: Principal
    var shotsTotal: UInt64
    var shotsDone: UInt64 = 0
    var deviceMicroseconds: Microseconds = 0
    var held: Int64
    var extensions: [CostPart] = []
    /// Beyond what caps allowed.
    var overrun: Int64 = 0
  }

  var random: SplitMix
  var ledger: Ledger
  var model = LedgerModel()
  var running: [Job] = []
  var now: Microseconds = 1_760_000_000_000_000
  var number: UInt64 = 0
  var refused = 0
  var stopped = 0
  var kills = 0
  var largestOverrun: Int64 = 0
  /// What jobs went beyond caps, altogether, by budget.
  var overruns: [Int64]

  init(seed: UInt64) {
    random = SplitMix(state: seed)
    let projects = (0..<4).map { LedgerProject(tenant: "lab", project: "p\($0)") }
    model.prices = ["sim.statevector": Self.price]
    model.grant(
      Entitlement(
        number: 1, project: projects[0], amount: 400_000_000, createdAt: now,
        expiresAt: now + 20_000_000_000))
    model.grant(Entitlement(number: 2, project: projects[0], amount: 900_000_000, createdAt: now))
    model.grant(
      Entitlement(
        number: 3, project: projects[1], amount: 3_000_000, periodSeconds: 3600, createdAt: now,
        expiresAt: now + 3_600_000_000))
    model.budgets = [
      Budget(project: projects[2], period: .day, softCap: 20_000_000, hardCap: 60_000_000),
      Budget(
        project: projects[2], experimentClass: .demo, period: .week, hardCap: 50_000_000),
      Budget(project: projects[3], experimentClass: .validation, period: .always, hardCap: 1),
      Budget(project: projects[1], period: .month, hardCap: 400_000_000),
    ]
    overruns = model.budgets.map { _ in 0 }
    ledger = Ledger(model.snapshot)
  }

  mutating func submit() {
    number += 1
    let classes = ["", "demo", "validation", "comparison", "own"]
    let principal = Principal(
      tenant: "lab", project: "p\(random.below(4))", name: "n\(random.below(3))")
    let shots = 1 + random.below(1500)
    let predicted = Microseconds(shots) * Microseconds(random.below(400))
    let id = Identifier(high: number, low: random.next())
    let amount = Self.price.cost(shots: shots, deviceMicroseconds: predicted)
    let request = CostHold(
      price: Self.price, experimentClass: classes[Int(random.below(5))], experiment: "",
      heldAt: now, parts: [])
    do throws(QubusError) {
      let (hold, turns, _) = try ledger.hold(id, request, amount: amount, for: principal)
      model.write(turns)
      // The store may refuse it, find that it is known, or the service may die before the commit.
      if random.below(50) == 0 {
        return model.write(ledger.settle(id, charge: 0))
      }
      if random.below(5000) == 0 { return kill() }
      model.accept(id, hold, of: principal)
      running.append(
        Job(id: id, principal: principal, shotsTotal: shots, held: hold.amount))
    } catch {
      refused += 1
    }
  }

  /// A chunk of a running job, and the check at its border.
  mutating func runChunk(_ index: Int) {
    var job = running[index]
    let shots = min(Self.chunkShots, job.shotsTotal - job.shotsDone)
    job.shotsDone += shots
    job.deviceMicroseconds += 1 + Microseconds(random.below(UInt64(Self.mostChunkMicroseconds)))
    let cost = Self.price.cost(shots: job.shotsDone, deviceMicroseconds: job.deviceMicroseconds)
    var mustStop = false
    if cost > job.held {
      let draw = ledger.extend(job.id, by: cost - job.held + job.held / 2, now: now)
      model.write(draw.turns)
      job.held += draw.parts.total
      job.extensions += draw.parts
      mustStop = cost > job.held
    }
    running[index] = job
    if mustStop {
      stopped += 1
      end(index, charged: true)
    } else if job.shotsDone == job.shotsTotal {
      end(index, charged: random.below(10) > 0)
    }
  }

  mutating func end(_ index: Int, charged: Bool) {
    var job = running.remove(at: index)
    let cost =
      charged
      ? Self.price.cost(shots: job.shotsDone, deviceMicroseconds: job.deviceMicroseconds) : 0
    if cost > job.held {
      let draw = ledger.cover(job.id, by: cost - job.held, now: now)
      model.write(draw.turns)
      job.overrun = draw.parts.total
      job.extensions += draw.parts
      largestOverrun = max(largestOverrun, job.overrun)
    }
    let settlement =
      charged ? CostSettlement(charge: cost, extension: job.extensions) : CostSettlement(charge: 0)
    // The disk comes first: a kill in between leaves what the rows say.
    if let hold = ledger.hold(of: job.id) { noteOverrun(job, hold) }
    model.end(job.id, settlement)
    if random.below(5000) == 0 { return kill() }
    model.write(ledger.settle(job.id, charge: cost))
  }

  private mutating func noteOverrun(_ job: Job, _ hold: CostHold) {
    for (index, budget) in model.budgets.enumerated()
    where LedgerProject(job.principal) == budget.project
      && (budget.experimentClass.map { $0.rawValue == hold.experimentClass } ?? true)
    {
      overruns[index] += job.overrun
    }
  }

  /// What was in memory alone is gone; jobs that ran begin anew.
  mutating func kill() {
    kills += 1
    ledger = Ledger(model.snapshot)
    for index in running.indices {
      let id = running[index].id
      running[index].shotsDone = 0
      running[index].deviceMicroseconds = 0
      running[index].extensions = []
      running[index].held = model.charges[id]?.hold.amount ?? 0
    }
  }

  mutating func step() {
    now += Microseconds(random.below(4_000_000))
    if running.count < 30 { submit() }
    guard !running.isEmpty else { return }
    let index = Int(random.below(UInt64(running.count)))
    switch random.below(100) {
    case 0..<4: end(index, charged: false)
    case 4..<8: end(index, charged: running[index].shotsDone > 0)
    default: runChunk(index)
    }
  }

  /// What memory says of credit is what the rows say.
  func disagreements() -> [String] {
    var faults: [String] = []
    let rows = Ledger(model.snapshot)
    for project in Set(rows.projects + ledger.projects) {
      if ledger.credit(of: project, now: now) != rows.credit(of: project, now: now) {
        faults.append("credit of \(project.text)")
      }
      if ledger.budgets(of: project, now: now) != rows.budgets(of: project, now: now) {
        faults.append("budgets of \(project.text)")
      }
    }
    return faults
  }
}

@Suite("The ledger under random jobs")
struct LedgerPropertyTests {
  @Test(
    "100,000 jobs with failures, cancels, refunds and kills balance to the last unit within caps",
    arguments: [UInt64.random(in: 0...UInt64.max)])
  func balances(_ seed: UInt64) throws {
    var run = LedgerRun(seed: seed)
    var checked: UInt64 = 0
    while run.number < 100_000 {
      run.step()
      if run.number >= checked + 2500 {
        checked = run.number
        for (budget, overrun) in zip(run.model.budgets, run.overruns) {
          let used = run.model.used(budget, now: run.now)
          try #require(used <= (budget.hardCap ?? .max) + overrun, "seed \(seed): \(budget.text)")
        }
      }
    }
    while !run.running.isEmpty { run.end(0, charged: run.random.below(2) == 0) }
    let model = run.model
    #expect(model.unbalanced == 0, "seed \(seed)")
    #expect(model.balances.values.reduce(0, +) == 0)
    for (account, balance) in model.balances {
      switch account {
      case .held: #expect(balance == 0, "\(account.text)")
      case .credit, .spent, .lapsed: #expect(balance >= 0, "\(account.text)")
      case .issued, .invoice: #expect(balance <= 0, "\(account.text)")
      }
    }
    let spent = model.charges.values.reduce(Int64(0)) { $0 + ($1.cost ?? 0) }
    let accounts = model.balances.reduce(Int64(0)) { sum, entry in
      if case .spent = entry.key { sum + entry.value } else { sum }
    }
    #expect(spent == accounts)
    #expect(run.disagreements().isEmpty, "seed \(seed)")
    #expect(run.largestOverrun <= LedgerRun.chunkCost)
    // The run met what it is about.
    #expect(run.refused > 100 && run.stopped > 20 && run.kills > 3, "seed \(seed)")
  }
}

internal import Glibc
internal import Logging
internal import QubusEngine
internal import QubusScheduler
internal import QubusServer
internal import QubusTenancy

/// What the daemon is set up with, after flags, environment, file and defaults.
struct Configuration: Sendable, Equatable {
  enum LogFormat: String, CaseIterable, Sendable { case json, text }

  var dataDirectory: String
  var endpoints: [Endpoint] = []
  /// Group that may use the ipc sockets; nil: their owner only.
  var socketGroup: String?
  /// What users of this machine who are no principals may do in the default project; nil: nothing.
  var localUsers: Role? = .submitter
  /// What wraps the tenants' data keys; nil: nothing is encrypted.
  var masterKey: MasterKeySource?
  /// Threads that compute.
  var threads: Int
  /// Bytes that all running jobs may use together.
  var memoryBytes: UInt64
  /// Of tenants, projects in their tenant and principals in their project; others have 1.
  var weights: [AccountPath: Double] = [:]
  /// Sessions that may be open, and of one principal.
  var sessionLimit = 1024
  var sessionLimitPerPrincipal = 256
  /// Bytes of all resident plans of sessions; nil: a quarter of `memoryBytes`.
  var sessionMemoryBytes: UInt64?
  /// Of the cores, for sessions while jobs run.
  var sessionSharePercent = 60
  /// Predicted time up to which a step runs on the transport thread; 0: never.
  var stepInPlaceMicroseconds = 50
  /// How long after a message processors are kept from halting; 0: never.
  var keepAwakeMicroseconds = 500
  /// How long results, events and the audit are kept.
  var retention = RetentionConfiguration()
  var logLevel = Logger.Level.info
  /// nil: text on a terminal, JSON otherwise.
  var logFormat: LogFormat?

  /// What holds when nothing is said.
  init(environment: [String: String]) {
    dataDirectory = Self.defaultDataDirectory(environment)
    threads = Self.availableCores()
    memoryBytes = Self.availableMemory() / 2
    // Under a quota of processor time, threads that only keep a processor awake would spend it.
    if Self.hasProcessorQuota() { keepAwakeMicroseconds = 0 }
  }

  /// Bytes that the process may hold before connections are closed: all that jobs and sessions may
  /// have, and room for everything else.
  var residentMemoryCap: UInt64 {
    let plans = sessionMemoryBytes ?? memoryBytes / 4
    let work = memoryBytes &+ plans
    return work &+ max(Self.ownMemory, work / 8)
  }

  private static let ownMemory: UInt64 = 1 << 30

  /// The endpoints to bind; without any, one socket in the data directory.
  var effectiveEndpoints: [Endpoint] {
    endpoints.isEmpty ? [.ipc(path: dataDirectory + "/qubus.sock")] : endpoints
  }

  /// `$XDG_STATE_HOME/qubus`, or `~/.local/state/qubus`.
  private static func defaultDataDirectory(_ environment: [String: String]) -> String {
    // The specification of XDG has relative paths ignored.
    if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") { return state + "/qubus" }
    let home = environment["HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
    return (home ?? Self.homeOfUser() ?? "/var/lib") + "/.local/state/qubus"
  }

  private static func homeOfUser() -> String? {
    guard let entry = getpwuid(getuid()) else { return nil }
    return String(cString: entry.pointee.pw_dir)
  }

  /// Cores this process may run on; a container may have fewer than the machine.
  private static func availableCores() -> Int {
    let status = TextFile.read("/proc/self/status", byteLimit: 1 << 16) ?? ""
    let mask = status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") }
    let bits = mask?.dropFirst("Cpus_allowed:".count).compactMap(\.hexDigitValue)
      .reduce(0) { $0 + $1.nonzeroBitCount }
    let count = bits ?? sysconf(Int32(_SC_NPROCESSORS_ONLN))
    return min(max(1, count), ConfigurationSetting.threadLimit)
  }

  /// Whether a control group limits the processor time of this process.
  private static func hasProcessorQuota() -> Bool {
    let limit = TextFile.read("/sys/fs/cgroup/cpu.max", byteLimit: 64)
    return limit.map { !$0.hasPrefix("max") } ?? false
  }

  /// Bytes of memory this process may use: the machine's, or its control group's limit.
  private static func availableMemory() -> UInt64 {
    let machine =
      UInt64(max(1, sysconf(Int32(_SC_PHYS_PAGES)))) * UInt64(max(1, sysconf(Int32(_SC_PAGESIZE))))
    let group = TextFile.read("/sys/fs/cgroup/memory.max", byteLimit: 64)
      .flatMap { UInt64($0.prefix { $0.isNumber }) }
    return min(machine, group ?? machine)
  }
}

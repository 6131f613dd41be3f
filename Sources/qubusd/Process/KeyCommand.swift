internal import Glibc
internal import QubusCore

/// Runs the command that supplies a master key and takes what it writes on its standard output.
enum KeyCommand {
  static let patienceMilliseconds: Int32 = 30_000
  private static let byteLimit = 4096

  /// - Parameter command: for `/bin/sh -c`.
  /// - Throws: `invalid_key` when it cannot be run, ends with another status than 0, writes too
  ///   much or takes longer than 30 s.
  static func output(
    _ command: String, patienceMilliseconds: Int32 = patienceMilliseconds
  ) throws(QubusError) -> [UInt8] {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw failure("no pipe: \(systemError())") }
    defer { close(ends[0]) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let started = Result { () throws(QubusError) in try start(command, writing: ends[1]) }
    close(ends[1])
    let child = try started.get()
    do throws(QubusError) {
      let bytes = try read(ends[0], patienceMilliseconds)
      let status = wait(child)
      guard status == 0 else { throw failure("it ended with status \(status >> 8 & 0xFF)") }
      return bytes
    } catch {
      kill(child, SIGKILL)
      _ = wait(child)
      throw error
    }
  }

  private static func start(
    _ command: String, writing output: Int32
  ) throws(QubusError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // The daemon has signals blocked, which a child would inherit.
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var child = pid_t()
    var arguments: [UnsafeMutablePointer<CChar>?] = []
    for argument in ["sh", "-c", command] { arguments.append(strdup(argument)) }
    arguments.append(nil)
    defer { for argument in arguments { free(argument) } }
    let code = posix_spawn(&child, "/bin/sh", &actions, &attributes, &arguments, environ)
    guard code == 0 else { throw failure(String(cString: strerror(code))) }
    return child
  }

  private static func read(_ file: Int32, _ patience: Int32) throws(QubusError) -> [UInt8] {
    var bytes: [UInt8] = []
    let end = milliseconds() + Int(patience)
    while true {
      let left = end - milliseconds()
      guard left > 0 else { throw failure("it takes longer than \(patience / 1000) s") }
      var item = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
      guard poll(&item, 1, Int32(left)) > 0 else { continue }
      var part = [UInt8](repeating: 0, count: byteLimit)
      let count = Glibc.read(file, &part, part.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw failure(systemError()) }
      if count == 0 { return bytes }
      bytes += part[..<count]
      guard bytes.count <= byteLimit else { throw failure("it writes over \(byteLimit) bytes") }
    }
  }

  private static func wait(_ child: pid_t) -> Int32 {
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    return status
  }

  private static func milliseconds() -> Int {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec * 1000 + now.tv_nsec / 1_000_000
  }

  private static func failure(_ reason: String) -> QubusError {
    QubusError(.invalidKey, "the command for the master key gives none: \(reason)")
  }

  private static func systemError() -> String { String(cString: strerror(errno)) }
}

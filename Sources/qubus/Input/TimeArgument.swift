internal import ArgumentParser
internal import Glibc

/// A time in UTC: `2026-11-21` or `2026-11-21T10:30:00`.
struct TimeArgument: ExpressibleByArgument {
  let microseconds: Int

  init?(argument: String) {
    for format in ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"] {
      var parts = tm()
      let isWhole = argument.withCString { text in
        strptime(text, format, &parts).map { $0.pointee == 0 } ?? false
      }
      if isWhole {
        microseconds = timegm(&parts) * 1_000_000
        return
      }
    }
    return nil
  }

}

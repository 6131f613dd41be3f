/// A qubusd of our own, stopped by its process id.
#ifndef DAEMON_HPP
#define DAEMON_HPP

#include <sys/types.h>

#include <string>

class daemon_process {
 public:
  /// Starts QUBUSD (default .build/release/qubusd) on a data directory in a new temporary folder and
  /// waits until it is ready. Without a daemon `endpoint` is "" and `problem` says why.
  daemon_process();
  ~daemon_process();
  daemon_process(const daemon_process &) = delete;
  daemon_process &operator=(const daemon_process &) = delete;

  std::string endpoint, problem;
  /// True when it ended with status 0 after SIGTERM.
  bool stop();

 private:
  std::string folder_;
  pid_t process_ = -1;
};

#endif

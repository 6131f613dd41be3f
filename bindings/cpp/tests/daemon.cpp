#include "daemon.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

/// Runs in the child between fork and exec.
[[noreturn]] static void become(const char *binary, const char *data, const char *log, int output) {
  const int errors = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (errors < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0) _exit(126);
  execl(binary, binary, "--data-dir", data, static_cast<char *>(nullptr));
  _exit(127);
}

/// The first endpoint of the line {"event":"ready","endpoints":["ipc:///…"],…}.
static std::string read_endpoint(int input) {
  std::string line;
  char one;
  while (read(input, &one, 1) == 1 && one != '\n') line += one;
  const std::size_t list = line.find("\"endpoints\":[\"");
  if (list == std::string::npos) return "";
  const std::size_t first = list + 14;
  std::string found;
  for (std::size_t at = first; at < line.size() && line[at] != '"'; at++) {
    if (line[at] != '\\') found += line[at];
  }
  return found;
}

daemon_process::daemon_process() {
  const char *given = std::getenv("QUBUSD");
  const std::string binary = given != nullptr ? given : ".build/release/qubusd";
  if (access(binary.c_str(), X_OK) != 0) {
    problem = "no daemon at " + binary + ": build it with scripts/build, or set QUBUSD";
    return;
  }
  char pattern[] = "/tmp/qubus-cpp-XXXXXX";
  int ends[2];
  if (mkdtemp(pattern) == nullptr || pipe2(ends, O_CLOEXEC) != 0) {
    problem = "no temporary folder or pipe";
    return;
  }
  folder_ = pattern;
  const std::string data = folder_ + "/data", log = folder_ + "/log";
  process_ = fork();
  if (process_ == 0) become(binary.c_str(), data.c_str(), log.c_str(), ends[1]);
  close(ends[1]);
  endpoint = read_endpoint(ends[0]);
  close(ends[0]);
  if (endpoint.empty()) problem = "the daemon did not start; its log is " + log;
}

bool daemon_process::stop() {
  if (process_ < 0) return true;
  kill(process_, SIGTERM);
  int status = 0;
  waitpid(process_, &status, 0);
  process_ = -1;
  const bool is_clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (is_clean) std::filesystem::remove_all(folder_);
  return is_clean;
}

daemon_process::~daemon_process() { stop(); }

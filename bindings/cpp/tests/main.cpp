/// Runs every test, then the examples named on the command line, against a daemon of its own.
///
///   qubus_tests [EXAMPLE…]
///
/// QUBUS_REQUIRE_DAEMON: fail instead of skipping without a daemon or its sessions.
#include <cstdlib>
#include <iostream>
#include <memory>

#include "check.hpp"
#include "daemon.hpp"

static std::unique_ptr<daemon_process> daemon_of_run;

const char bell[] =
    "OPENQASM 3;\ninclude \"stdgates.inc\";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\n"
    "c = measure q;\n";

const char rotation[] =
    "OPENQASM 3;\ninclude \"stdgates.inc\";\ninput float theta;\ninput float phi;\nqubit[2] q;\n"
    "ry(theta) q[0];\ncx q[0], q[1];\nrz(phi) q[1];\n";

qubus::job_spec slow_job() {
  std::ostringstream source;
  source << "OPENQASM 3;\ninclude \"stdgates.inc\";\nqubit[20] q;\nbit[20] c;\n";
  for (int layer = 0; layer < 40; layer++) {
    for (int qubit = 0; qubit < 9; qubit++) {
      source << "ry(0.3) q[" << qubit << "];\ncx q[" << qubit << "], q[" << qubit + 10 << "];\n";
    }
    source << "c[0] = measure q[0];\n";
  }
  source << "c = measure q;\n";
  return {source.str(), 1000000};
}

qubus::client connect() {
  if (daemon_of_run->endpoint.empty()) throw skipped(daemon_of_run->problem);
  return qubus::client(daemon_of_run->endpoint);
}

qubus::client connect_with_sessions() {
  qubus::client client = connect();
  if (client.request(QUBUS_METHOD_HELLO).find("\"OpenSession\"") == std::string::npos) {
    throw skipped("the daemon's HELLO names no method OpenSession: it was built before sessions");
  }
  return client;
}

qubus::session open_rotation(const qubus::client &client, std::uint32_t outputs) {
  qubus::session_spec spec;
  spec.program = rotation;
  spec.observables = {{{"IZ", 1.0}}, {{"XX", 1.0}}};
  spec.outputs = outputs;
  return client.open_session(spec);
}

struct tally {
  int passed = 0, failed = 0, skips = 0;
};

static void run(const char *name, const std::function<void()> &body, tally &t) {
  try {
    body();
    t.passed++;
    std::cout << "ok    " << name << std::endl;
  } catch (const skipped &reason) {
    const bool is_required = std::getenv("QUBUS_REQUIRE_DAEMON") != nullptr;
    (is_required ? t.failed : t.skips)++;
    std::cout << (is_required ? "FAIL  " : "skip  ") << name << ": " << reason.what() << std::endl;
  } catch (const std::exception &problem) {
    t.failed++;
    std::cout << "FAIL  " << name << ": " << problem.what() << std::endl;
  }
}

int main(int argc, char **argv) {
  daemon_of_run = std::make_unique<daemon_process>();
  tally t;
  for (const test_case &test : all_tests()) run(test.name, test.body, t);
  for (int i = 1; i < argc; i++) {
    run(argv[i], [&] {
      const std::string command = std::string(argv[i]);
      if (command.find("h2") != std::string::npos) connect_with_sessions();
      connect();
      CHECK(std::system((command + " " + daemon_of_run->endpoint).c_str()) == 0);
    }, t);
  }
  if (!daemon_of_run->stop()) {
    std::cout << "FAIL  the daemon did not stop cleanly" << std::endl;
    t.failed++;
  }
  std::cout << t.passed << " passed, " << t.failed << " failed, " << t.skips << " skipped\n";
  return t.failed == 0 ? 0 : 1;
}

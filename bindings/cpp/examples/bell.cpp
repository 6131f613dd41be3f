/// Submits a Bell circuit, follows its events, prints its counts; then shows a cancel and an error.
///
///   bell [ENDPOINT]
#include <iostream>
#include <qubus/qubus.hpp>

static const char bell[] =
    "OPENQASM 3;\n"
    "include \"stdgates.inc\";\n"
    "qubit[2] q;\n"
    "bit[2] c;\n"
    "h q[0];\n"
    "cx q[0], q[1];\n"
    "c = measure q;\n";

static const char *word(qubus::cancel_outcome outcome) {
  switch (outcome) {
    case qubus::cancel_outcome::before_start: return "before start";
    case qubus::cancel_outcome::during_run: return "during run";
    case qubus::cancel_outcome::too_late: return "too late";
  }
  return "unknown";
}

static void run(const qubus::client &client) {
  using namespace std::chrono_literals;
  qubus::job_spec spec(bell, 1024);
  spec.seed = 7;
  spec.name = "bell";
  const qubus::job job = client.submit(spec);
  std::cout << "job " << job.id() << '\n';
  for (const qubus::event &event : job.events()) {
    std::cout << "event " << event.sequence << ' ' << event.type << ": " << event.status << ' '
              << event.reason << '\n';
  }
  const qubus::result result = job.result(30s);
  for (const auto &[bits, count] : result.counts()) std::cout << bits << ' ' << count << '\n';
  std::cout << "provenance " << result.provenance() << '\n';

  // Started without waiting; the job is durable once `get` returns.
  qubus::pending<qubus::job> submitted = client.submit_async(spec);
  const auto [outcome, shots] = submitted.get().cancel("shown by the example");
  std::cout << "cancel: " << word(outcome) << ", " << shots << " shots done\n";

  try {
    client.submit({"OPENQASM 3;\nqubit[2] q;\nh r[0];\n", 10});
    throw std::runtime_error("a program with an undeclared gate was accepted");
  } catch (const qubus::validation_error &error) {
    std::cout << "refused: " << error.name() << ", line " << error.line() << ", column "
              << error.column() << ": " << error.message() << '\n';
  }
}

int main(int argc, char **argv) {
  try {
    run(qubus::client(argc > 1 ? argv[1] : ""));
  } catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}

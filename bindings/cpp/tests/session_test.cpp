#include <atomic>
#include <cstdlib>
#include <limits>
#include <new>
#include <random>
#include <thread>

#include "check.hpp"

using namespace std::chrono_literals;

/// Allocations of this program; those of the library are counted by its own tests.
static std::atomic<std::uint64_t> allocations{0};

// Not inlined: g++ 12 would see free() meet the memory of a new.
[[gnu::noinline]] void *operator new(std::size_t bytes) {
  allocations++;
  if (void *memory = std::malloc(bytes > 0 ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void *memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }

TEST("a session tells what it holds") {
  const qubus::client client = connect_with_sessions();
  const qubus::session session = open_rotation(client);
  CHECK(session.parameter_count() == 2 && session.parameter_name(1) == "phi");
  CHECK(session.parameter_name(9).empty() && session.observable_count() == 2);
  CHECK(session.qubit_count() == 2 && session.last_sequence() == 0);
  CHECK(session.outputs() == (QUBUS_STEP_VALUES | QUBUS_STEP_GRADIENTS));
  session.step(std::vector<double>{0.1, 0.2});
  CHECK(session.last_sequence() == 1 && session.describe().find(session.id()) != std::string::npos);
  CHECK(client.sessions().find(session.id()) != std::string::npos);
}

TEST("steps give values and gradients in place") {
  const qubus::client client = connect_with_sessions();
  const qubus::session session = open_rotation(client);
  const unsigned seed = std::random_device()();
  std::mt19937 random(seed);
  std::normal_distribution<double> angle;
  std::vector<double> values(2), gradients(4);
  for (int i = 0; i < 20; i++) {
    const double at[] = {angle(random), angle(random)};
    session.step_gradient(at, values, gradients);
    const double c = std::cos(at[0]), s = std::sin(at[0]);
    const bool is_right = near(values[0], c) && near(values[1], s * std::cos(at[1])) &&
        near(gradients[0], -s) && near(gradients[1], 0) &&
        near(gradients[2], c * std::cos(at[1])) && near(gradients[3], -s * std::sin(at[1]));
    if (!is_right) throw std::runtime_error("seed " + std::to_string(seed));
  }
}

TEST("a batch equals its steps") {
  const qubus::client client = connect_with_sessions();
  const qubus::session session = open_rotation(client);
  std::vector<double> parameters(66);
  for (std::size_t i = 0; i < parameters.size(); i++) parameters[i] = 0.17 * static_cast<double>(i);
  const std::vector<double> values = session.batch(parameters, 33);
  for (std::size_t row = 0; row < 33; row++) {
    const auto alone = session.step(qubus::span<const double>(parameters).subspan(2 * row, 2));
    CHECK(alone[0] == values[2 * row] && alone[1] == values[2 * row + 1]);
  }
}

TEST("what a step tells besides") {
  const qubus::client client = connect_with_sessions();
  const qubus::session session = open_rotation(client);
  const std::vector<double> parameters{0.3, 0.1};
  std::vector<double> values(2), errors(2);
  qubus::step step;
  step.parameters = parameters;
  step.values = values;
  step.standard_errors = errors;
  session.evaluate(step);
  CHECK(step.sequence == 1 && step.device_time.count() > 0 && !step.was_repeated && !step.was_rebuilt);
  CHECK(std::isnan(errors[0]) && step.shots_used == 0);
}

TEST("a step in place allocates nothing") {
  const qubus::client client = connect_with_sessions();
  const qubus::session session = open_rotation(client);
  std::vector<double> at{0.2, 0.4}, values(2), gradients(4);
  session.step_gradient(at, values, gradients);
  const std::uint64_t before = allocations;
  for (int i = 0; i < 1000; i++) {
    at[0] += 0.001;
    session.step_gradient(at, values, gradients);
  }
  CHECK(allocations == before && near(values[0], std::cos(at[0])));
}

TEST("counts and states of a session") {
  const qubus::client client = connect_with_sessions();
  qubus::session_spec spec;
  spec.program = "OPENQASM 3;\ninclude \"stdgates.inc\";\ninput float t;\nqubit[2] q;\nbit[2] c;\n"
                 "ry(t) q[0];\ncx q[0], q[1];\nc = measure q;\n";
  spec.shots = 1000;
  spec.seed = 5;
  const auto counts = client.open_session(spec).counts(std::vector<double>{1.5707963267948966});
  CHECK(counts.size() == 2 && counts.at("00") + counts.at("11") == 1000);
  const qubus::session exact = open_rotation(client, QUBUS_STEP_VALUES | QUBUS_STEP_STATEVECTOR);
  const auto state = exact.statevector(std::vector<double>{1.5707963267948966, 0.0});
  CHECK(state.size() == 4 && near(state[3].real(), std::sqrt(0.5)));
  qubus::step step;
  const std::vector<double> rows{0.1, 0.0, 0.2, 0.0};
  step.outputs = QUBUS_STEP_VALUES | QUBUS_STEP_STATEVECTOR;
  step.parameters = rows;
  step.rows = 2;
  const qubus::result both = exact.run_async(step).get(10s);
  CHECK(near(both.array(0, "values").as<double>()[2], std::cos(0.2)));
}

TEST("bad steps are refused and the session goes on") {
  const qubus::client client = connect_with_sessions();
  const qubus::session session = open_rotation(client);
  const auto mismatch = {qubus::code::parameter_count_mismatch};
  refused(mismatch, [&] { session.step(std::vector<double>{1}); });
  refused(mismatch, [&] { session.step(std::vector<double>{1, 2, 3}); });
  refused(mismatch, [&] { session.step({}); });
  refused(mismatch, [&] { session.batch(std::vector<double>{1, 2}, std::numeric_limits<std::uint64_t>::max()); });
  refused({qubus::code::invalid_step}, [&] { session.batch({}, 0); });
  for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    refused({qubus::code::invalid_parameter_value}, [&] { session.step(std::vector<double>{0, bad}); });
  }
  std::vector<double> narrow(1), values(2);
  const std::vector<double> at{0.5, 0.0};
  refused({qubus::code::buffer_too_small}, [&] { session.step_into(at, narrow); });
  refused({qubus::code::buffer_too_small, qubus::code::invalid_argument},
          [&] { session.step_gradient(at, values, narrow); });
  refused({qubus::code::invalid_step, qubus::code::invalid_outputs}, [&] { session.statevector(at); });
  CHECK(near(session.step(at)[0], std::cos(0.5)));
}

TEST("bad sessions are refused") {
  const qubus::client client = connect_with_sessions();
  qubus::session_spec spec;
  spec.program = rotation;
  spec.observables = {{{"ZZZZ", 1.0}}};
  refused({qubus::code::invalid_observable}, [&] { client.open_session(spec); });
  spec.observables = {{{"ZZ", 1.0}}};
  spec.idle_seconds = 0;
  thrown<qubus::validation_error>([&] { client.open_session(spec); });
  spec.idle_seconds.reset();
  spec.program = "OPENQASM 3;\nqubit q;\nry(1) q;\n";
  CHECK(thrown<qubus::validation_error>([&] { client.open_session(spec); }).line() == 3);
  refused({qubus::code::session_not_found},
          [&] { client.resume_session("0199a1b2-0000-7000-8000-000000000000", {}, 0); });
}

TEST("a step after a close is an error") {
  const qubus::client client = connect_with_sessions();
  const qubus::session session = open_rotation(client);
  session.close();
  session.close();
  refused({qubus::code::session_not_found}, [&] { session.step(std::vector<double>{1, 2}); });
}

TEST("a detached session is resumed by another client, and the former one is told") {
  const qubus::client other = connect_with_sessions();
  const std::vector<double> at{0.7, 0.1};
  std::string id;
  qubus::session::secret_bytes secret{};
  std::vector<double> before;
  {
    const qubus::client client = connect();
    const qubus::session session = open_rotation(client);
    before = session.step(at);
    id = session.id();
    secret = session.secret();
    session.detach();
  }
  auto wrong = secret;
  wrong[0] ^= 1;
  refused({qubus::code::session_not_found}, [&] { other.resume_session(id, wrong, 1); });
  const qubus::session resumed = other.resume_session(id, secret, 1);
  CHECK(resumed.step(at) == before && resumed.last_sequence() == 2);
  const qubus::client third = connect();
  const qubus::session taken = third.resume_session(id, secret, 2);
  taken.step(at);
  refused({qubus::code::session_held_elsewhere}, [&] { resumed.step(std::vector<double>{0.2, 0.3}); });
}

TEST("a session is shared by threads") {
  const qubus::client client = connect_with_sessions();
  const qubus::session session = open_rotation(client);
  std::vector<std::thread> threads;
  std::vector<int> right(4);
  for (std::size_t worker = 0; worker < right.size(); worker++) {
    threads.emplace_back([&, worker] {
      std::vector<double> values(2);
      for (int i = 0; i < 50; i++) {
        const double at[] = {static_cast<double>(worker) + 0.01 * i, 0.0};
        session.step_into(at, values);
        right[worker] += near(values[0], std::cos(at[0])) ? 1 : 0;
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  for (const int count : right) CHECK(count == 50);
  CHECK(session.last_sequence() == 200);
}

TEST("destroying a session closes it") {
  const qubus::client client = connect_with_sessions();
  const std::string id = open_rotation(client).id();
  // The end was sent without waiting for its answer.
  const auto until = std::chrono::steady_clock::now() + 10s;
  while (client.sessions().find(id) != std::string::npos) {
    CHECK(std::chrono::steady_clock::now() < until);
  }
}

#include "check.hpp"

using namespace std::chrono_literals;

static qubus::optimization_spec adam(std::int64_t iterations) {
  qubus::optimization_spec spec;
  spec.method = "adam";
  spec.initial = {0.3, 0.1};
  spec.options = {{"learning_rate", 0.1}};
  spec.max_iterations = iterations;
  return spec;
}

static qubus::optimization_spec endless() {
  qubus::optimization_spec spec;
  spec.method = "spsa";
  spec.initial = {0.3, 0.1};
  spec.max_iterations = 100000000;
  spec.max_seconds = 20;
  spec.seed = 3;
  return spec;
}

TEST("an optimization streams its iterations and ends") {
  const qubus::client client = connect_with_sessions();
  const qubus::session session = open_rotation(client);
  qubus::optimization optimization = session.optimize(adam(200));
  std::uint64_t number = 0;
  for (const qubus::iteration &one : optimization) {
    CHECK(one.number == ++number && one.parameters.size() == 2);
  }
  const qubus::optimum found = optimization.result(10s);
  CHECK(near(found.best_value, -1, 1e-3) && found.iterations == number && !found.ending.empty());
  CHECK(found.best.size() == 2 && found.evaluations > 0 && !optimization.id().empty());
  CHECK(session.attach_optimization(optimization.id()).result(10s).best_value == found.best_value);
}

TEST("an optimization is canceled; a short wait leaves it alone") {
  const qubus::client client = connect_with_sessions();
  const qubus::session session = open_rotation(client);
  qubus::optimization optimization = session.optimize(endless());
  CHECK(optimization.next(10s));
  refused({qubus::code::deadline_exceeded}, [&] { optimization.result(20ms); });
  CHECK(optimization.cancel());
  const qubus::optimum found = optimization.result(10s);
  CHECK(found.ending == "canceled" && found.iterations > 0);
  const auto until = std::chrono::steady_clock::now() + 10s;
  while (optimization.cancel()) {  // the server tells its end, then forgets the run
    CHECK(std::chrono::steady_clock::now() < until);
  }
}

TEST("bad optimizations are refused") {
  const qubus::client client = connect_with_sessions();
  const qubus::session session = open_rotation(client);
  const auto run = [&](const qubus::optimization_spec &spec) {
    return [&session, spec] { session.optimize(spec).result(10s); };
  };
  qubus::optimization_spec spec = adam(10);
  spec.method = "magic";
  refused({qubus::code::invalid_optimizer}, run(spec));
  spec = adam(10);
  spec.options = {{"magic", 1.0}};
  refused({qubus::code::invalid_optimizer}, run(spec));
  spec = adam(10);
  spec.initial = {1.0};
  refused({qubus::code::parameter_count_mismatch}, run(spec));
  spec = adam(10);
  spec.lower = {-1.0, -1.0};
  refused({qubus::code::parameter_count_mismatch}, run(spec));
  spec = adam(10);
  spec.observable = 2;
  refused({qubus::code::invalid_optimizer}, run(spec));
}

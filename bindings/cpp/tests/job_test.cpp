#include <thread>

#include "check.hpp"

using namespace std::chrono_literals;

TEST("a Bell job gives its counts and provenance") {
  const qubus::client client = connect();
  qubus::job_spec spec(bell, 1024);
  spec.seed = 7;
  spec.tags = {"cpp"};
  const qubus::job job = client.submit(spec);
  const qubus::result result = job.result(30s);
  const auto counts = result.counts();
  CHECK(counts.size() == 2 && counts.at("00") + counts.at("11") == 1024);
  CHECK(!result.is_partial());
  CHECK(result.provenance().find("\"client_version\":\"qubus-cpp") != std::string::npos);
  CHECK(result.provenance().find("\"seed\":7,") != std::string::npos);
  CHECK(job.status() == "succeeded" && job.wait(10s) == "succeeded");
  CHECK(job.describe().find(job.id()) != std::string::npos);
  CHECK(client.attach(job.id()).result(10s).counts() == counts);
}

TEST("sweeps and observables broadcast; arrays are views") {
  const qubus::client client = connect();
  qubus::job_spec spec;
  qubus::pub &pub = spec.pubs.emplace_back();
  pub.program = rotation;
  pub.parameters = {qubus::parameter::vector("theta", {0.0, 0.5, 1.0}),
                    qubus::parameter::scalar("phi", 0.1)};
  pub.observables = {{{"IZ", 1.0}, {"II", 0.5}}};
  const qubus::result result = client.submit(spec).result(30s);
  const qubus::array_view array = result.array(0, "expectation_values");
  CHECK(array.shape().size() == 1 && array.shape()[0] == 3 && array.data_type() == QUBUS_TYPE_FLOAT64);
  const qubus::span<const double> values = array.as<double>();
  CHECK(values.size() == 3 && near(values[1], std::cos(0.5) + 0.5));
  CHECK(values.data() == result.expectation_values().data());
  CHECK(result.arrays().size() == 1);
  CHECK(client.estimate(pub, 30s).expectation_values()[1] == values[1]);
  refused({QUBUS_E_INVALID_ARGUMENT}, [&] { array.as<std::uint64_t>(); });
  refused({QUBUS_E_UNKNOWN_RESULT_ITEM}, [&] { result.statevector(); });
}

TEST("a state vector comes as complex numbers") {
  const qubus::client client = connect();
  qubus::job_spec spec;
  spec.pubs.emplace_back();
  spec.pubs[0].program = "OPENQASM 3;\ninclude \"stdgates.inc\";\nqubit[2] q;\nh q[0];\ns q[0];\n";
  spec.pubs[0].outputs = QUBUS_OUTPUT_STATEVECTOR;
  const qubus::result result = client.submit(spec).result(30s);
  const auto state = result.statevector();
  CHECK(state.size() == 4 && near(state[0].real(), std::sqrt(0.5)) && near(state[1].imag(), std::sqrt(0.5)));
}

TEST("events are ordered, end after the terminal one, and resume") {
  const qubus::client client = connect();
  const qubus::job job = client.submit({bell, 10});
  for (const std::uint64_t after : {0u, 3u}) {
    std::uint64_t sequence = after;
    std::string status;
    for (const qubus::event &event : job.events(after)) {
      CHECK(event.sequence == ++sequence);
      CHECK(std::chrono::system_clock::now() - event.time < 1min && event.json.front() == '{');
      status = event.status;
    }
    CHECK(status == "succeeded" && sequence > after);
  }
  qubus::event_stream events = job.events();
  while (events.next(10s)) {}
  CHECK(!events.next(10s));
}

TEST("a cancel stops a job and is idempotent") {
  const qubus::client client = connect();
  const qubus::job job = client.submit(slow_job());
  CHECK(job.cancel("shown by a test").outcome != qubus::cancel_outcome::too_late);
  CHECK(job.wait(30s) == "canceled");
  job.cancel();
  try {
    CHECK(job.result(10s).is_partial());
  } catch (const qubus::execution_error &error) {
    CHECK(error.code() == qubus::code::execution_canceled);
  }
}

TEST("a job starts after others") {
  const qubus::client client = connect();
  const qubus::job stopped = client.submit(slow_job());
  qubus::job_spec spec(bell, 10);
  spec.after = {stopped.id()};
  const qubus::job second = client.submit(spec);
  spec.after_ok = {second.id()};
  const qubus::job third = client.submit(spec);
  spec.after.clear();
  spec.after_ok = {stopped.id()};
  const qubus::job never = client.submit(spec);
  stopped.cancel();
  CHECK(third.wait(30s) == "succeeded");
  refused({qubus::code::dependency_failed}, [&] { never.result(10s); });
  spec.after_ok = {"01890000-0000-7000-8000-000000000000"};
  refused({qubus::code::job_not_found}, [&] { client.submit(spec); });
}

TEST("submits are pipelined, and a call becomes a std::future") {
  const qubus::client client = connect();
  std::vector<qubus::pending<qubus::job>> calls;
  for (int i = 0; i < 50; i++) calls.push_back(client.submit_async({bell, 10}));
  for (auto &call : calls) {
    CHECK(call.valid());
    const std::string key = call.idempotency_key();
    const qubus::job job = call.get(10s);
    CHECK(!call.valid() && !key.empty() && !job.is_duplicate());
    std::future<qubus::result> later = job.result_async().to_future();
    CHECK(later.get().counts().size() <= 2);
  }
}

TEST("the same key gives the same job; another body under it is refused") {
  const qubus::client client = connect();
  qubus::job_spec spec(bell, 10);
  spec.idempotency_key = "cpp-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
  const qubus::job one = client.submit(spec), two = client.submit(spec);
  CHECK(!one.is_duplicate() && two.is_duplicate() && one.id() == two.id());
  spec.pubs[0].shots = 11;
  const auto error = thrown<qubus::conflict_error>([&] { client.submit(spec); });
  CHECK(error.code() == qubus::code::idempotency_conflict);
  CHECK(error.idempotency_key() == spec.idempotency_key);
}

TEST("a client is shared by threads") {
  const qubus::client client = connect();
  std::vector<std::string> hashes(16);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < hashes.size(); i++) {
    threads.emplace_back([&, i] {
      qubus::job_spec spec(bell, 100);
      spec.seed = i % 4;
      const std::string manifest = client.submit(spec).result(30s).manifest();
      hashes[i] = manifest.substr(manifest.find("\"execution_hash\""), 80);
    });
  }
  for (std::thread &thread : threads) thread.join();
  for (std::size_t i = 0; i < hashes.size(); i++) CHECK(hashes[i] == hashes[i % 4] && !hashes[i].empty());
}

TEST("a plan tells without submitting; the daemon describes itself") {
  const qubus::client client = connect();
  CHECK(client.plan({bell, 1000}).find("\"memory_bytes\":") != std::string::npos);
  CHECK(client.request(QUBUS_METHOD_HEALTH).find("serving") != std::string::npos);
  CHECK(!client.endpoint().empty());
}

TEST("children outlive their parents") {
  const qubus::job job = [] {
    const qubus::client client = connect();
    return client.submit({bell, 10});
  }();
  const qubus::result result = [&] {
    const qubus::client client = connect();
    return client.attach(job.id()).result(10s);
  }();
  CHECK(result.counts().size() <= 2);
}

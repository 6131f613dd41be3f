#include <future>

#include "check.hpp"

using namespace std::chrono_literals;

TEST("a bad program names its line and column") {
  const qubus::client client = connect();
  const auto error = thrown<qubus::validation_error>([&] {
    client.submit({"OPENQASM 3;\ninclude \"stdgates.inc\";\nqubit[2] q;\ncx q[0], w[1];\n", 10});
  });
  CHECK(error.code() == qubus::code::undeclared_identifier && error.name() == "undeclared_identifier");
  CHECK(error.line() == 4 && error.column() == 10 && error.text() == "w" && !error.retryable());
  CHECK(error.excerpt().find("cx q[0], w[1];") != std::string::npos);
  CHECK(!error.action().empty() && !error.trace_id().empty() && !error.idempotency_key().empty());
}

TEST("what the server refuses names its field") {
  const qubus::client client = connect();
  const auto error = thrown<qubus::validation_error>([&] { client.submit({bell, -5}); });
  CHECK(error.code() == qubus::code::invalid_shots && !error.violations().empty());
  CHECK(!error.violations()[0].field.empty());
  thrown<qubus::validation_error>([&] { client.submit({bell, 0}); });
  thrown<qubus::validation_error>([&] { client.submit({bell, std::int64_t{1} << 40}); });
  thrown([&] { client.submit(qubus::job_spec()); });
  refused({qubus::code::job_not_found},
          [&] { client.attach("0199a1b2-0000-7000-8000-000000000000").status(); });
  refused({qubus::code::job_not_found}, [&] {
    for (const qubus::event &event : client.attach("0199a1b2-0000-7000-8000-000000000000").events()) {
      CHECK(event.sequence == 0);
    }
  });
}

TEST("what is refused before it is sent") {
  const qubus::client client = connect();
  qubus::job_spec spec(bell, 10);
  spec.name = std::string("a\0b", 3);
  refused({qubus::code::nul_in_string}, [&] { client.submit(spec); });
  qubus::job_spec sweep(rotation, 10);
  sweep.pubs[0].parameters = {{"theta", {3}, {1.0}}};
  refused({qubus::code::invalid_parameter_shape}, [&] { client.submit(sweep); });
  qubus::job_spec shaped(rotation, 10);
  shaped.pubs[0].observables = {{{"ZZ", 1.0}}};
  shaped.pubs[0].observables_shape = {2};
  refused({qubus::code::invalid_observable}, [&] { client.submit(shaped); });
}

TEST("a time-out ends the wait and not the job; a call is canceled from elsewhere") {
  const qubus::client client = connect();
  const qubus::job job = client.submit(slow_job());
  const auto started = std::chrono::steady_clock::now();
  const auto error = refused({qubus::code::deadline_exceeded}, [&] { job.wait(30ms); });
  CHECK(error.retryable() && std::chrono::steady_clock::now() - started < 1s);
  qubus::pending<qubus::result> call = job.result_async();
  CHECK(call.wait_for(5ms) == std::future_status::timeout && !call.is_done());
  refused({qubus::code::deadline_exceeded}, [&] { call.get(5ms); });
  auto canceler = std::async(std::launch::async, [&] { call.cancel(); });
  refused({qubus::code::call_canceled}, [&] { call.get(10s); });
  canceler.get();
  CHECK(job.status() != "canceled");
  job.cancel();
}

TEST("a stream that is canceled ends its next") {
  const qubus::client client = connect();
  const qubus::job job = client.submit(slow_job());
  qubus::event_stream events = job.events();
  CHECK(events.next(10s));
  events.cancel();
  refused({qubus::code::call_canceled}, [&] { while (events.next(10s)) {} });
  job.cancel();
}

TEST("opening fails in time without a daemon") {
  qubus::client_options options;
  options.endpoint = "ipc:///tmp/qubus-cpp-nobody.sock";
  options.connect_timeout = 100ms;
  const auto started = std::chrono::steady_clock::now();
  thrown<qubus::client_error>([&] { qubus::client{options}; });
  CHECK(std::chrono::steady_clock::now() - started < 2s);
  thrown<qubus::client_error>([] { qubus::client("http://127.0.0.1"); });
}

TEST("use after close is an error") {
  qubus::client client = connect();
  const qubus::job job = client.submit(slow_job());
  qubus::pending<qubus::result> waiting = job.result_async();
  client.close();
  refused({qubus::code::client_closed}, [&] { waiting.get(10s); });
  refused({qubus::code::client_closed}, [&] { client.submit({bell, 1}); });
  refused({qubus::code::client_closed}, [&] { job.status(); });
  refused({qubus::code::client_closed}, [&] { client.ping(); });
  connect().attach(job.id()).cancel();
}

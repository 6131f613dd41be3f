#include <array>
#include <type_traits>

#include "check.hpp"

static_assert(std::is_convertible_v<std::vector<double> &, qubus::span<double>>);
static_assert(std::is_convertible_v<const std::vector<double> &, qubus::span<const double>>);
static_assert(!std::is_convertible_v<const std::vector<double> &, qubus::span<double>>);
static_assert(!std::is_convertible_v<std::vector<float> &, qubus::span<double>>);
static_assert(std::is_convertible_v<qubus::span<double>, qubus::span<const double>>);
static_assert(std::is_nothrow_copy_constructible_v<qubus::error>);
static_assert(std::is_base_of_v<qubus::error, qubus::validation_error>);
static_assert(!std::is_copy_constructible_v<qubus::client>);
static_assert(std::is_nothrow_move_constructible_v<qubus::session>);

TEST("a span views vectors, arrays and parts of them") {
  std::vector<double> numbers{1, 2, 3, 4};
  const qubus::span<double> all(numbers);
  all[1] = 7;
  CHECK(numbers[1] == 7 && all.size() == 4 && !all.empty());
  const qubus::span<const double> part = all.subspan(1, 2);
  CHECK(part.size() == 2 && part[0] == 7 && part.data() == numbers.data() + 1);
  double raw[3] = {1, 2, 3};
  CHECK(qubus::span<double>(raw).size() == 3);
  std::array<double, 2> fixed{5, 6};
  double sum = 0;
  for (const double x : qubus::span<const double>(fixed)) sum += x;
  CHECK(sum == 11 && qubus::span<double>().empty());
}

TEST("violations are read from an error's details, escapes included") {
  const auto found = qubus::detail::read_violations(
      R"({"violations":[{"field":"pubs[0].shots","explanation":"\"0\" is ],{ \\ small\u000a","limit":"1 to 9"},)"
      R"({"field":"seed","explanation":"é","limit":""}],"details":{"a":"b"}})");
  CHECK(found.size() == 2);
  CHECK(found[0].field == "pubs[0].shots" && found[0].limit == "1 to 9");
  CHECK(found[0].explanation == "\"0\" is ],{ \\ small\n");
  CHECK(found[1].explanation == "é" && found[1].limit.empty());
  CHECK(qubus::detail::read_violations(R"({"violations":[],"details":{}})").empty());
  CHECK(qubus::detail::read_violations("").empty());
  CHECK(qubus::detail::read_violations(R"({"violations":[{"field":"cut)").size() == 1);
}

TEST("codes choose the class of the exception, those of a newer server too") {
  const auto raise = [](std::int32_t code) { return [code] { qubus::detail::raise(code, "m"); }; };
  thrown<qubus::validation_error>(raise(qubus::code::invalid_shots));
  thrown<qubus::validation_error>(raise(1999));
  thrown<qubus::quota_error>(raise(qubus::code::too_many_sessions));
  thrown<qubus::post_processing_error>(raise(qubus::code::result_corrupt));
  thrown<qubus::client_error>(raise(QUBUS_E_END_OF_STREAM));
  CHECK(thrown(raise(12345)).name() == "unknown");
  const qubus::error error = thrown(raise(qubus::code::step_out_of_order));
  CHECK(error.name() == "step_out_of_order" && std::string(error.what()).find("4010") != std::string::npos);
  CHECK(!error.action().empty());
}

TEST("a handle that was moved from answers with an error") {
  qubus::client client = connect();
  const qubus::client other = std::move(client);
  other.ping();
  // NOLINTNEXTLINE(bugprone-use-after-move): that is the point
  refused({QUBUS_E_INVALID_ARGUMENT}, [&] { client.ping(); });
}

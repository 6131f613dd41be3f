/// A test runner of one screen: tests register themselves, checks throw, a skip names its reason.
#ifndef CHECK_HPP
#define CHECK_HPP

#include <cmath>
#include <functional>
#include <qubus/qubus.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

struct test_case {
  const char *name;
  void (*body)();
};

inline std::vector<test_case> &all_tests() {
  static std::vector<test_case> tests;
  return tests;
}

struct registration {
  registration(const char *name, void (*body)()) { all_tests().push_back({name, body}); }
};

struct skipped : std::runtime_error {
  using std::runtime_error::runtime_error;
};

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define TEST(name)                                                        \
  static void JOIN(test_, __LINE__)();                                    \
  static const registration JOIN(registered_, __LINE__)(name, JOIN(test_, __LINE__)); \
  static void JOIN(test_, __LINE__)()

#define CHECK(condition)                                                          \
  do {                                                                            \
    if (!(condition)) {                                                           \
      throw std::runtime_error(std::string(__FILE__ ":") + std::to_string(__LINE__) + ": " #condition); \
    }                                                                             \
  } while (false)

inline bool near(double a, double b, double tolerance = 1e-12) {
  return std::abs(a - b) < tolerance;
}

/// Runs `body`, which must throw an error of this class, and gives it.
template <class Error = qubus::error>
Error thrown(const std::function<void()> &body) {
  try {
    body();
  } catch (const Error &error) {
    return error;
  }
  throw std::runtime_error("nothing was thrown");
}

/// The same with a code of which one is expected.
inline qubus::error refused(
    std::initializer_list<std::int32_t> codes, const std::function<void()> &body) {
  const qubus::error error = thrown(body);
  for (const std::int32_t code : codes) {
    if (error.code() == code) return error;
  }
  throw std::runtime_error(std::string("another error: ") + error.what());
}

/// Programs that several tests use.
extern const char bell[];
extern const char rotation[];
/// A job that a cancel finds queued or running.
qubus::job_spec slow_job();

/// A connection to the daemon of this run; skips without one.
qubus::client connect();
/// The same; skips when the daemon's HELLO names no method OpenSession.
qubus::client connect_with_sessions();
/// A session of `rotation` with cos θ and sin θ cos φ as observables.
qubus::session open_rotation(const qubus::client &client, std::uint32_t outputs = 0);

#endif

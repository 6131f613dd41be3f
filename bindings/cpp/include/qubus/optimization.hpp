/// Optimizations that run in the daemon.
#ifndef QUBUS_OPTIMIZATION_HPP
#define QUBUS_OPTIMIZATION_HPP

#include <qubus.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "error.hpp"
#include "events.hpp"
#include "handle.hpp"

namespace qubus {

/// Minimizes an observable. What is not given is unset.
struct optimization_spec {
  std::string method;                        ///< spsa, adam, lbfgs, nelder_mead, rotosolve
  std::vector<double> initial;
  std::uint32_t observable = 0;              ///< index of the objective
  std::vector<double> lower, upper;          ///< both or none; infinities allowed
  std::vector<std::pair<std::string, double>> options;
  std::optional<std::int64_t> max_iterations, max_evaluations, max_shots;
  std::optional<std::int64_t> max_cost;      ///< micro-units
  std::optional<double> max_seconds, max_device_seconds;
  std::uint64_t shots = 0;                   ///< of each evaluation; 0: the session's
  double target_error = 0.0;
  std::optional<std::uint64_t> seed;
};

struct iteration {
  std::uint64_t number = 0;                  ///< 1, 2, 3, …
  double value = 0.0;
  double gradient_norm = 0.0;                ///< NaN for methods without one
  std::vector<double> parameters;
  std::uint64_t evaluations = 0;             ///< so far, at the end of its batch
  std::uint64_t shots_used = 0;
  std::chrono::microseconds device_time{0};
};

struct optimum {
  std::vector<double> best, last;
  double best_value = 0.0, last_value = 0.0;
  std::uint64_t iterations = 0, evaluations = 0, shots_used = 0;
  std::chrono::microseconds device_time{0};
  std::string ending;                        ///< converged, stalled, max_iterations, …, canceled
};

/// Made by `session::optimize`; a range of its iterations. Destroying it stops the watching; the
/// optimization goes on unless it was canceled.
class optimization {
 public:
  explicit optimization(qubus_optimization *native) noexcept : handle_(native) {}

  /// "" until the server has told it.
  std::string id() const { return qubus_optimization_id(handle_.get()); }

  /// Nothing after the last iteration. Throws deadline_exceeded, and errors of the optimization.
  std::optional<iteration> next(std::chrono::milliseconds timeout = forever) {
    qubus_iteration native = QUBUS_ITERATION_INIT;
    detail::native_error error;
    const std::int32_t code =
        qubus_optimization_next(handle_.get(), detail::count(timeout), &native, error.get());
    if (code == QUBUS_E_END_OF_STREAM) return std::nullopt;
    error.check(code);
    iteration i;
    i.number = native.number;
    i.value = native.value;
    i.gradient_norm = native.gradient_norm;
    i.parameters.assign(native.parameters, native.parameters + native.parameter_count);
    i.evaluations = native.evaluations;
    i.shots_used = native.shots_used;
    i.device_time = std::chrono::microseconds(native.device_microseconds);
    return i;
  }
  /// Waits for the end; iterations that were not read are skipped.
  optimum result(std::chrono::milliseconds timeout = forever) {
    qubus_optimum native = QUBUS_OPTIMUM_INIT;
    detail::native_error error;
    error.check(
        qubus_optimization_result(handle_.get(), detail::count(timeout), &native, error.get()));
    optimum o;
    o.best.assign(native.best, native.best + native.parameter_count);
    o.last.assign(native.last, native.last + native.parameter_count);
    o.best_value = native.best_value;
    o.last_value = native.last_value;
    o.iterations = native.iterations;
    o.evaluations = native.evaluations;
    o.shots_used = native.shots_used;
    o.device_time = std::chrono::microseconds(native.device_microseconds);
    o.ending = native.ending;
    return o;
  }
  /// Stops it at the server and tells whether it was running; `result` then gives the best so far.
  bool cancel(std::chrono::milliseconds timeout = call_timeout) {
    detail::native_error error;
    std::int32_t was_running = 0;
    error.check(qubus_optimization_cancel(
        handle_.get(), detail::count(timeout), &was_running, error.get()));
    return was_running != 0;
  }

  using iterator = detail::next_iterator<optimization, iteration>;
  iterator begin() { return iterator(*this); }
  iterator end() { return iterator(); }

 private:
  detail::optimization_handle handle_;
};

}  // namespace qubus

#endif

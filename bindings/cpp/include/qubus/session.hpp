/// Sessions: a program compiled once, resident in the daemon, evaluated by steps.
#ifndef QUBUS_SESSION_HPP
#define QUBUS_SESSION_HPP

#include <qubus.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <complex>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "error.hpp"
#include "handle.hpp"
#include "job.hpp"
#include "optimization.hpp"
#include "pending.hpp"
#include "result.hpp"
#include "span.hpp"
#include "spec.hpp"

namespace qubus {

/// What to open. What is not given is unset; 0 and less are refused by the server.
struct session_spec {
  std::string program;                       ///< OpenQASM; its inputs, in order, are the parameters
  std::vector<observable> observables;
  std::uint32_t outputs = 0;                 ///< QUBUS_STEP_* that steps may ask for; 0: values and gradients with observables, else counts
  std::optional<std::int64_t> shots;         ///< of each step; none: exact
  std::optional<double> target_error;        ///< standard error at which a step stops
  bool shares_random_numbers = false;        ///< every step draws the same random numbers
  std::optional<std::uint64_t> seed;
  std::string precision;                     ///< double (default) or single
  std::string device;
  std::optional<double> idle_seconds, wall_seconds, max_device_seconds;
  std::optional<std::int64_t> max_steps, memory_bytes;
  std::string name;
  std::vector<std::string> tags;
  std::string idempotency_key;
};

/// One evaluation. The views' memory belongs to the caller and is read and written in place; what has
/// no room is refused, nothing is truncated.
struct step {
  std::uint32_t outputs = 0;                 ///< QUBUS_STEP_VALUES and/or GRADIENTS; 0: values
  span<const double> parameters;             ///< rows × parameters, row-major
  std::uint64_t rows = 1;
  span<double> values;                       ///< rows × observables
  span<double> gradients;                    ///< rows × observables × parameters
  span<double> standard_errors;              ///< rows × observables, NaN when exact; may be empty
  std::uint64_t shots = 0;                   ///< 0: the session's
  double target_error = 0.0;                 ///< 0: the session's
  // set by the evaluation
  std::uint64_t sequence = 0;
  std::uint64_t shots_used = 0;
  std::chrono::nanoseconds device_time{0};
  bool was_repeated = false;                 ///< answered before a lost connection
  bool was_rebuilt = false;                  ///< the plan had been dropped, or the daemon restarted
  double norm_drift = 0.0;
};

/// Made by `client::open_session`. Destroying it closes the session at the server, unless it was
/// detached. Steps of several threads are ordered.
class session {
 public:
  using secret_bytes = std::array<std::uint8_t, QUBUS_SESSION_SECRET_BYTES>;

  explicit session(qubus_session *native) noexcept : handle_(native) {}

  std::string id() const { return qubus_session_id(handle_.get()); }
  /// Whoever has it can take the session over.
  secret_bytes secret() const {
    secret_bytes bytes{};
    const std::uint8_t *native = qubus_session_secret(handle_.get());
    if (native != nullptr) std::copy(native, native + bytes.size(), bytes.begin());
    return bytes;
  }
  std::size_t parameter_count() const noexcept {
    return static_cast<std::size_t>(qubus_session_parameter_count(handle_.get()));
  }
  /// "" for an index out of range.
  std::string parameter_name(std::size_t index) const {
    return qubus_session_parameter_name(handle_.get(), index);
  }
  std::size_t observable_count() const noexcept {
    return static_cast<std::size_t>(qubus_session_observable_count(handle_.get()));
  }
  std::uint32_t qubit_count() const noexcept { return qubus_session_qubit_count(handle_.get()); }
  std::uint32_t bit_count() const noexcept { return qubus_session_bit_count(handle_.get()); }
  std::uint32_t outputs() const noexcept { return qubus_session_outputs(handle_.get()); }
  /// Of the step answered last; 0 before the first.
  std::uint64_t last_sequence() const noexcept {
    return qubus_session_last_sequence(handle_.get());
  }
  /// Asks the server; JSON of message Session.
  std::string describe(std::chrono::milliseconds timeout = call_timeout) const {
    detail::native_error error;
    qubus_text *text = nullptr;
    error.check(qubus_session_describe(handle_.get(), detail::count(timeout), &text, error.get()));
    return detail::take_text(text);
  }

  /// The evaluation that the others are made of: copies no numbers, allocates nothing after the first
  /// step of its shape. After a lost connection it is sent again under its number: evaluated and
  /// charged once. After deadline_exceeded the same call goes on with the same step.
  void evaluate(qubus::step &s, std::chrono::milliseconds timeout = call_timeout) const {
    check_rows(s);
    qubus_step native = input(s);
    native.values = s.values.data();
    native.values_capacity = s.values.size();
    native.gradients = s.gradients.data();
    native.gradients_capacity = s.gradients.size();
    native.standard_errors = s.standard_errors.data();
    native.standard_errors_capacity = s.standard_errors.size();
    detail::native_error error;
    error.check(qubus_session_step(handle_.get(), &native, detail::count(timeout), error.get()));
    s.sequence = native.sequence;
    s.shots_used = native.shots_used;
    s.device_time = std::chrono::nanoseconds(native.device_nanoseconds);
    s.was_repeated = native.was_repeated != 0;
    s.was_rebuilt = native.was_rebuilt != 0;
    s.norm_drift = native.norm_drift;
  }
  /// Values at one parameter vector, into `values`.
  void step_into(span<const double> parameters, span<double> values,
                 std::chrono::milliseconds timeout = call_timeout) const {
    qubus::step s;
    s.parameters = parameters;
    s.values = values;
    evaluate(s, timeout);
  }
  std::vector<double> step(
      span<const double> parameters, std::chrono::milliseconds timeout = call_timeout) const {
    std::vector<double> values(observable_count());
    step_into(parameters, values, timeout);
    return values;
  }
  /// Values, and gradients of observables × parameters.
  void step_gradient(span<const double> parameters, span<double> values, span<double> gradients,
                     std::chrono::milliseconds timeout = call_timeout) const {
    qubus::step s;
    s.outputs = QUBUS_STEP_VALUES | QUBUS_STEP_GRADIENTS;
    s.parameters = parameters;
    s.values = values;
    s.gradients = gradients;
    evaluate(s, timeout);
  }
  /// Values of rows × observables at `rows` vectors.
  std::vector<double> batch(span<const double> parameters, std::uint64_t rows,
                            std::chrono::milliseconds timeout = call_timeout) const {
    qubus::step s;
    s.parameters = parameters;
    s.rows = rows;
    check_rows(s);  // before room is made for it
    std::vector<double> values(static_cast<std::size_t>(rows) * observable_count());
    s.values = values;
    evaluate(s, timeout);
    return values;
  }
  /// Any outputs into a result: values, standard_errors, gradients, counts, statevector. Of the step
  /// only the inputs are read; they are copied.
  pending<result> run_async(const qubus::step &s) const {
    check_rows(s);
    const qubus_step native = input(s);
    detail::native_error error;
    qubus_call *call = nullptr;
    error.check(qubus_session_step_start(handle_.get(), &native, 0, &call, error.get()));
    return {call, job::take_result};
  }
  result run(const qubus::step &s, std::chrono::milliseconds timeout = call_timeout) const {
    return run_async(s).get(timeout);
  }
  std::map<std::string, std::uint64_t> counts(
      span<const double> parameters, std::chrono::milliseconds timeout = call_timeout) const {
    return run(asking(QUBUS_STEP_COUNTS, parameters), timeout).counts();
  }
  /// A copy; `run` gives a view.
  std::vector<std::complex<double>> statevector(
      span<const double> parameters, std::chrono::milliseconds timeout = call_timeout) const {
    const result r = run(asking(QUBUS_STEP_STATEVECTOR, parameters), timeout);
    const auto state = r.statevector();
    return {state.begin(), state.end()};
  }

  /// Starts an optimization in the daemon. The vectors' lengths are checked here, the rest there.
  optimization optimize(const optimization_spec &spec) const {
    check_lengths(spec);
    std::vector<qubus_option> options;
    for (const auto &[name, value] : spec.options) options.push_back({detail::c_text(name, "option"), value});
    qubus_optimization_spec native = QUBUS_OPTIMIZATION_SPEC_INIT;
    native.observable = spec.observable;
    native.method = detail::c_text(spec.method, "method");
    native.initial = spec.initial.data();
    native.lower = spec.lower.empty() ? nullptr : spec.lower.data();
    native.upper = spec.upper.empty() ? nullptr : spec.upper.data();
    native.options = options.data();
    native.option_count = options.size();
    native.max_iterations = spec.max_iterations.value_or(QUBUS_UNSET);
    native.max_evaluations = spec.max_evaluations.value_or(QUBUS_UNSET);
    native.max_shots = spec.max_shots.value_or(QUBUS_UNSET);
    native.max_cost = spec.max_cost.value_or(QUBUS_UNSET);
    native.max_seconds = spec.max_seconds.value_or(unset);
    native.max_device_seconds = spec.max_device_seconds.value_or(unset);
    native.shots = spec.shots;
    native.target_error = spec.target_error;
    native.has_seed = spec.seed.has_value() ? 1 : 0;
    native.seed = spec.seed.value_or(0);
    detail::native_error error;
    qubus_optimization *started = nullptr;
    error.check(qubus_optimization_start(handle_.get(), &native, 0, &started, error.get()));
    return optimization(started);
  }
  /// Watches one that was started before; iterations up to `after` are not told.
  optimization attach_optimization(const std::string &id, std::uint64_t after = 0) const {
    detail::native_error error;
    qubus_optimization *attached = nullptr;
    error.check(qubus_optimization_attach(
        handle_.get(), detail::c_text(id, "id"), after, 0, &attached, error.get()));
    return optimization(attached);
  }

  /// Ends the session at the server; steps after it throw session_not_found.
  void close(std::chrono::milliseconds timeout = call_timeout) const {
    detail::native_error error;
    error.check(qubus_session_close(handle_.get(), detail::count(timeout), error.get()));
  }
  /// From here on destroying the handle leaves the session open, for `client::resume_session`.
  void detach() const noexcept { qubus_session_detach(handle_.get()); }

  /// A `qubus_session_spec` that points into the spec it was made from.
  class packed_spec {
   public:
    explicit packed_spec(const session_spec &spec)
        : observables_(spec.observables), tags_(detail::packed_texts(spec.tags, "tags")) {
      native_.outputs = spec.outputs;
      native_.program = spec.program.c_str();
      native_.program_bytes = spec.program.size();
      native_.observables = observables_.data();
      native_.observable_count = observables_.size();
      native_.shots = spec.shots.value_or(QUBUS_UNSET);
      native_.target_error = spec.target_error.value_or(unset);
      native_.shares_random_numbers = spec.shares_random_numbers ? 1 : 0;
      native_.has_seed = spec.seed.has_value() ? 1 : 0;
      native_.seed = spec.seed.value_or(0);
      native_.precision = detail::or_null(spec.precision, "precision");
      native_.device = detail::or_null(spec.device, "device");
      native_.idle_seconds = spec.idle_seconds.value_or(unset);
      native_.wall_seconds = spec.wall_seconds.value_or(unset);
      native_.max_device_seconds = spec.max_device_seconds.value_or(unset);
      native_.max_steps = spec.max_steps.value_or(QUBUS_UNSET);
      native_.memory_bytes = spec.memory_bytes.value_or(QUBUS_UNSET);
      native_.name = detail::or_null(spec.name, "name");
      native_.tags = tags_.data();
      native_.tag_count = tags_.size();
      native_.idempotency_key = detail::or_null(spec.idempotency_key, "idempotency_key");
    }
    packed_spec(const packed_spec &) = delete;
    packed_spec &operator=(const packed_spec &) = delete;
    const qubus_session_spec *get() const noexcept { return &native_; }

   private:
    detail::packed_observables observables_;
    std::vector<const char *> tags_;
    qubus_session_spec native_ = QUBUS_SESSION_SPEC_INIT;
  };

 private:
  static constexpr double unset = std::numeric_limits<double>::quiet_NaN();

  static qubus::step asking(std::uint32_t outputs, span<const double> parameters) {
    qubus::step s;
    s.outputs = outputs;
    s.parameters = parameters;
    return s;
  }
  static qubus_step input(const qubus::step &s) noexcept {
    qubus_step native = QUBUS_STEP_INIT;
    native.outputs = s.outputs;
    native.parameters = s.parameters.data();
    native.rows = s.rows;
    native.shots = s.shots;
    native.target_error = s.target_error;
    return native;
  }
  /// What the library cannot see: that the view is as long as the rows say.
  void check_rows(const qubus::step &s) const {
    const std::uint64_t count = parameter_count(), given = s.parameters.size();
    if (s.rows == 0) detail::raise(QUBUS_E_INVALID_STEP, "a step of 0 rows");
    if (count == 0 ? given == 0 : given / count == s.rows && given % count == 0) return;
    detail::raise(QUBUS_E_PARAMETER_COUNT_MISMATCH,
                  std::to_string(s.rows) + " rows of " + std::to_string(count) +
                      " parameters, and " + std::to_string(given) + " numbers");
  }
  void check_lengths(const optimization_spec &spec) const {
    const bool has_bounds = !spec.lower.empty() || !spec.upper.empty();
    const std::size_t count = parameter_count();
    if (spec.initial.size() == count &&
        (!has_bounds || (spec.lower.size() == count && spec.upper.size() == count))) {
      return;
    }
    detail::raise(QUBUS_E_PARAMETER_COUNT_MISMATCH,
                  "initial, and both bounds if any, must have " + std::to_string(count) +
                      " numbers, one for each input of the program");
  }

  detail::session_handle handle_;
};

}  // namespace qubus

#endif

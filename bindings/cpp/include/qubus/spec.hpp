/// What to run: publication units and job specifications.
#ifndef QUBUS_SPEC_HPP
#define QUBUS_SPEC_HPP

#include <qubus.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "error.hpp"
#include "handle.hpp"

namespace qubus {

/// Values of one input of a program, row-major; an empty shape is a scalar.
struct parameter {
  std::string name;
  std::vector<std::uint64_t> shape;
  std::vector<double> values;

  static parameter scalar(std::string name, double value) { return {std::move(name), {}, {value}}; }
  static parameter vector(std::string name, std::vector<double> values) {
    const std::uint64_t length = values.size();
    return {std::move(name), {length}, std::move(values)};
  }
};

/// One Pauli string with its coefficient; the leftmost letter acts on the highest qubit.
struct term {
  std::string pauli;
  double coefficient = 1.0;
};

/// A sum of Pauli strings.
using observable = std::vector<term>;

/// Publication unit: one program with parameters and observables that broadcast, NumPy rules.
struct pub {
  std::string program;                       ///< OpenQASM 2 or 3 source
  std::optional<std::int64_t> shots;         ///< none: exact outputs only
  std::vector<parameter> parameters;
  std::vector<observable> observables;
  std::vector<std::uint64_t> observables_shape;  ///< empty: a vector, or a scalar when there is one
  std::uint32_t outputs = 0;                 ///< QUBUS_OUTPUT_* or-ed; 0: by what is asked for
  std::optional<double> target_precision;    ///< standard error aimed at
};

/// What is not given is unset.
struct job_spec {
  std::vector<pub> pubs;
  std::string idempotency_key;               ///< "": drawn, and told by pending and error
  std::string client_job_id, device, device_family;
  std::string device_policy;                 ///< cheapest, fastest, best_fidelity
  bool allow_simulator_fallback = false;
  std::optional<std::uint64_t> seed;
  std::int32_t priority_class = QUBUS_PRIORITY_AUTOMATIC;
  std::optional<double> max_error;
  std::optional<double> deadline_seconds, ttl_seconds, expected_seconds, max_run_seconds;
  std::optional<std::int64_t> max_cost;      ///< micro-units
  std::string precision;                     ///< double (default) or single
  std::string experiment_id, name, experiment_class, citation;
  std::vector<std::string> tags;
  std::vector<std::string> after;            ///< ids of jobs that have to end first, in whatever way
  std::vector<std::string> after_ok;         ///< of jobs that have to succeed first; else dependency_failed

  job_spec() = default;
  /// One program with shots.
  job_spec(std::string program, std::int64_t shots) {
    pubs.emplace_back();
    pubs.back().program = std::move(program);
    pubs.back().shots = shots;
  }
};

namespace detail {

/// Observables as the library reads them; points into what it was made from.
class packed_observables {
 public:
  explicit packed_observables(const std::vector<observable> &observables) {
    for (const observable &sum : observables) {
      std::vector<qubus_pauli_term> &terms = terms_.emplace_back();
      for (const term &t : sum) terms.push_back({c_text(t.pauli, "pauli"), t.coefficient});
      qubus_observable native = QUBUS_OBSERVABLE_INIT;
      native.terms = terms.data();
      native.term_count = static_cast<std::uint32_t>(terms.size());
      native_.push_back(native);
    }
  }
  const qubus_observable *data() const noexcept { return native_.data(); }
  std::uint64_t size() const noexcept { return native_.size(); }

 private:
  std::deque<std::vector<qubus_pauli_term>> terms_;
  std::vector<qubus_observable> native_;
};

inline std::vector<const char *> packed_texts(
    const std::vector<std::string> &texts, const char *field) {
  std::vector<const char *> native;
  for (const std::string &text : texts) native.push_back(c_text(text, field));
  return native;
}

/// A `qubus_job_spec` that points into the spec it was made from.
class packed_job {
 public:
  explicit packed_job(const job_spec &spec)
      : tags_(packed_texts(spec.tags, "tags")), after_(packed_texts(spec.after, "after")),
        after_ok_(packed_texts(spec.after_ok, "after_ok")) {
    for (const pub &p : spec.pubs) pubs_.push_back(pack(p));
    native_.pubs = pubs_.data();
    native_.pub_count = pubs_.size();
    native_.idempotency_key = or_null(spec.idempotency_key, "idempotency_key");
    native_.client_job_id = or_null(spec.client_job_id, "client_job_id");
    native_.device = or_null(spec.device, "device");
    native_.device_family = or_null(spec.device_family, "device_family");
    native_.device_policy = or_null(spec.device_policy, "device_policy");
    native_.allow_simulator_fallback = spec.allow_simulator_fallback ? 1 : 0;
    native_.has_seed = spec.seed.has_value() ? 1 : 0;
    native_.seed = spec.seed.value_or(0);
    native_.priority_class = spec.priority_class;
    native_.max_error = spec.max_error.value_or(0.0);
    native_.deadline_seconds = spec.deadline_seconds.value_or(0.0);
    native_.ttl_seconds = spec.ttl_seconds.value_or(0.0);
    native_.expected_seconds = spec.expected_seconds.value_or(0.0);
    native_.max_run_seconds = spec.max_run_seconds.value_or(0.0);
    native_.max_cost = spec.max_cost.value_or(QUBUS_UNSET);
    native_.precision = or_null(spec.precision, "precision");
    native_.experiment_id = or_null(spec.experiment_id, "experiment_id");
    native_.name = or_null(spec.name, "name");
    native_.experiment_class = or_null(spec.experiment_class, "experiment_class");
    native_.citation = or_null(spec.citation, "citation");
    native_.tags = tags_.data();
    native_.tag_count = tags_.size();
    native_.after = after_.data();
    native_.after_count = after_.size();
    native_.after_ok = after_ok_.data();
    native_.after_ok_count = after_ok_.size();
  }
  packed_job(const packed_job &) = delete;
  packed_job &operator=(const packed_job &) = delete;
  const qubus_job_spec *get() const noexcept { return &native_; }

 private:
  qubus_pub pack(const pub &p) {
    qubus_pub native = QUBUS_PUB_INIT;
    native.outputs = p.outputs;
    native.program = p.program.c_str();
    native.program_bytes = p.program.size();
    native.shots = p.shots.value_or(QUBUS_UNSET);
    native.target_precision = p.target_precision.value_or(0.0);
    std::vector<qubus_parameter> &parameters = parameters_.emplace_back();
    for (const parameter &given : p.parameters) parameters.push_back(pack(given));
    native.parameters = parameters.data();
    native.parameter_count = parameters.size();
    const packed_observables &observables = observables_.emplace_back(p.observables);
    native.observables = observables.data();
    native.observable_count = observables.size();
    if (!p.observables_shape.empty()) {
      std::uint64_t elements = 1;
      for (const std::uint64_t length : p.observables_shape) elements *= length;
      if (elements != p.observables.size()) {
        raise(QUBUS_E_INVALID_OBSERVABLE, "observables_shape has " + std::to_string(elements) +
              " elements, there are " + std::to_string(p.observables.size()) + " observables");
      }
      native.observables_shape = p.observables_shape.data();
      native.observables_rank = p.observables_shape.size();
    }
    return native;
  }

  static qubus_parameter pack(const parameter &given) {
    std::uint64_t elements = 1;
    for (const std::uint64_t length : given.shape) elements *= length;
    if (elements != given.values.size()) {
      raise(QUBUS_E_INVALID_PARAMETER_SHAPE, "parameter " + given.name + ": the shape has " +
            std::to_string(elements) + " elements, there are " +
            std::to_string(given.values.size()) + " values");
    }
    qubus_parameter native = QUBUS_PARAMETER_INIT;
    native.name = c_text(given.name, "parameter name");
    native.rank = static_cast<std::uint32_t>(given.shape.size());
    native.shape = given.shape.data();
    native.values = given.values.data();
    return native;
  }

  std::vector<const char *> tags_, after_, after_ok_;
  std::deque<std::vector<qubus_parameter>> parameters_;
  std::deque<packed_observables> observables_;
  std::vector<qubus_pub> pubs_;
  qubus_job_spec native_ = QUBUS_JOB_SPEC_INIT;
};

}  // namespace detail
}  // namespace qubus

#endif

/// Results: named arrays as views on the library's memory.
#ifndef QUBUS_RESULT_HPP
#define QUBUS_RESULT_HPP

#include <qubus.h>

#include <complex>
#include <cstdint>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "error.hpp"
#include "handle.hpp"
#include "span.hpp"

namespace qubus {

namespace detail {

template <class T>
constexpr std::int32_t type_of() {
  if constexpr (std::is_same_v<T, std::uint8_t>) {
    return QUBUS_TYPE_UINT8;
  } else if constexpr (std::is_same_v<T, std::uint64_t>) {
    return QUBUS_TYPE_UINT64;
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return QUBUS_TYPE_INT64;
  } else if constexpr (std::is_same_v<T, double>) {
    return QUBUS_TYPE_FLOAT64;
  } else {
    static_assert(std::is_same_v<T, std::complex<double>>, "no array holds this type");
    return QUBUS_TYPE_COMPLEX128;
  }
}

}  // namespace detail

/// An array of a result, row-major; valid while the result lives.
class array_view {
 public:
  explicit array_view(const qubus_array &native) noexcept : native_(native) {}

  const char *name() const noexcept { return native_.name; }
  std::uint32_t pub() const noexcept { return native_.pub; }
  /// QUBUS_TYPE_*
  std::int32_t data_type() const noexcept { return native_.data_type; }
  span<const std::uint64_t> shape() const noexcept { return {native_.shape, native_.rank}; }
  /// Throws invalid_argument when the array holds another type.
  template <class T>
  span<const T> as() const {
    if (native_.data_type != detail::type_of<T>()) {
      detail::raise(QUBUS_E_INVALID_ARGUMENT, std::string(native_.name) + " holds type " +
                    std::to_string(native_.data_type) + ", not the one asked for");
    }
    return {static_cast<const T *>(native_.data),
            static_cast<std::size_t>(native_.bytes) / sizeof(T)};
  }

 private:
  qubus_array native_;
};

/// Outputs of a job, or of a step. Owns its arrays.
class result {
 public:
  explicit result(qubus_result *native) noexcept : handle_(native) {}

  /// All arrays.
  std::vector<array_view> arrays() const {
    std::vector<array_view> views;
    const std::uint64_t count = qubus_result_array_count(handle_.get());
    for (std::uint64_t index = 0; index < count; index++) {
      qubus_array native = QUBUS_ARRAY_INIT;
      detail::native_error error;
      error.check(qubus_result_array(handle_.get(), index, &native, error.get()));
      views.emplace_back(native);
    }
    return views;
  }
  /// Throws unknown_result_item.
  array_view array(std::uint32_t pub, const char *name) const {
    qubus_array native = QUBUS_ARRAY_INIT;
    detail::native_error error;
    error.check(qubus_result_find(handle_.get(), pub, name, &native, error.get()));
    return array_view(native);
  }
  /// Histogram of one row (row-major index of the broadcast parameters): outcomes by bit string, the
  /// highest classical bit leftmost.
  std::map<std::string, std::uint64_t> counts(std::uint32_t pub = 0, std::uint64_t row = 0) const {
    detail::native_error error;
    std::uint64_t entries = 0;
    std::uint32_t bits = 0;
    error.check(qubus_result_counts_size(handle_.get(), pub, row, &entries, &bits, error.get()));
    std::map<std::string, std::uint64_t> histogram;
    std::string key(bits + std::size_t{1}, '\0');
    for (std::uint64_t index = 0; index < entries; index++) {
      std::uint64_t count = 0;
      error.check(qubus_result_counts_entry(
          handle_.get(), pub, row, index, key.data(), key.size(), &count, error.get()));
      histogram.emplace(key.substr(0, bits), count);
    }
    return histogram;
  }
  span<const double> expectation_values(std::uint32_t pub = 0) const {
    return array(pub, "expectation_values").as<double>();
  }
  /// The index of a row is the outcome as a number.
  span<const double> probabilities(std::uint32_t pub = 0) const {
    return array(pub, "probabilities").as<double>();
  }
  /// Qubit 0 is the least significant bit of the index.
  span<const std::complex<double>> statevector(std::uint32_t pub = 0) const {
    return array(pub, "statevector").as<std::complex<double>>();
  }
  /// True for what a canceled job had.
  bool is_partial() const noexcept { return qubus_result_is_partial(handle_.get()) != 0; }
  /// JSON of messages Provenance, ResultManifest and Job.
  std::string provenance() const { return qubus_result_provenance_json(handle_.get()); }
  std::string manifest() const { return qubus_result_manifest_json(handle_.get()); }
  std::string job() const { return qubus_result_job_json(handle_.get()); }

 private:
  detail::result_handle handle_;
};

}  // namespace qubus

#endif

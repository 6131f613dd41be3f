/// Ownership of the library's handles.
#ifndef QUBUS_HANDLE_HPP
#define QUBUS_HANDLE_HPP

#include <qubus.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace qubus {

/// As a time-out: until it is over.
inline constexpr std::chrono::milliseconds forever{-1};
/// As a time-out: of calls that should take no longer than a round trip.
inline constexpr std::chrono::milliseconds call_timeout{30000};

namespace detail {

template <auto Free>
struct deleter {
  template <class T>
  void operator()(T *pointer) const noexcept {
    Free(&pointer);
  }
};

using client_handle = std::unique_ptr<qubus_client, deleter<qubus_client_free>>;
using call_handle = std::unique_ptr<qubus_call, deleter<qubus_call_free>>;
using job_handle = std::unique_ptr<qubus_job, deleter<qubus_job_free>>;
using stream_handle = std::unique_ptr<qubus_stream, deleter<qubus_stream_free>>;
using result_handle = std::unique_ptr<qubus_result, deleter<qubus_result_free>>;
using text_handle = std::unique_ptr<qubus_text, deleter<qubus_text_free>>;
using session_handle = std::unique_ptr<qubus_session, deleter<qubus_session_free>>;
using optimization_handle =
    std::unique_ptr<qubus_optimization, deleter<qubus_optimization_free>>;

/// Copies a text and frees it.
inline std::string take_text(qubus_text *text) {
  const text_handle owner(text);
  return std::string(qubus_text_data(text), static_cast<std::size_t>(qubus_text_bytes(text)));
}

inline std::int64_t count(std::chrono::milliseconds timeout) noexcept { return timeout.count(); }

}  // namespace detail
}  // namespace qubus

#endif

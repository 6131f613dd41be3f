/// Events of a job as a range.
#ifndef QUBUS_EVENTS_HPP
#define QUBUS_EVENTS_HPP

#include <qubus.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "error.hpp"
#include "handle.hpp"

namespace qubus {

namespace detail {

/// Input iterator over whatever has `next() -> std::optional<Value>`.
template <class Source, class Value>
class next_iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = Value;
  using difference_type = std::ptrdiff_t;
  using pointer = const Value *;
  using reference = const Value &;

  next_iterator() = default;
  explicit next_iterator(Source &source) : source_(&source) { ++*this; }
  const Value &operator*() const { return *value_; }
  const Value *operator->() const { return &*value_; }
  next_iterator &operator++() {
    value_ = source_->next();
    if (!value_) source_ = nullptr;
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const next_iterator &a, const next_iterator &b) noexcept {
    return a.source_ == b.source_;
  }
  friend bool operator!=(const next_iterator &a, const next_iterator &b) noexcept {
    return !(a == b);
  }

 private:
  Source *source_ = nullptr;
  std::optional<Value> value_;
};

}  // namespace detail

/// One event of a job.
struct event {
  std::uint64_t sequence = 0;   ///< 1, 2, 3, … within the job
  std::chrono::system_clock::time_point time;
  std::string type;             ///< for example "status.changed"
  std::string status;           ///< the job's after the event
  std::string reason;
  std::uint32_t attempt = 0;
  std::string json;             ///< the whole message JobEvent
};

/// Ordered, no gap, no double, also over reconnects and restarts of the daemon:
/// `for (const qubus::event &e : job.events()) …` ends after the terminal event.
class event_stream {
 public:
  explicit event_stream(qubus_stream *native) noexcept : handle_(native) {}

  /// Nothing after the terminal event. Throws deadline_exceeded, and errors of the stream.
  std::optional<event> next(std::chrono::milliseconds timeout = forever) {
    qubus_event native = QUBUS_EVENT_INIT;
    detail::native_error error;
    const std::int32_t code =
        qubus_stream_next(handle_.get(), detail::count(timeout), &native, error.get());
    if (code == QUBUS_E_END_OF_STREAM) return std::nullopt;
    error.check(code);
    event e;
    e.sequence = native.sequence;
    e.time = std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(
            std::chrono::microseconds(native.time_microseconds)));
    e.type = native.type;
    e.status = qubus_job_status_name(native.status);
    e.reason = native.reason;
    e.attempt = native.attempt;
    e.json.assign(native.json, static_cast<std::size_t>(native.json_bytes));
    return e;
  }
  /// Ends the stream at the server; a `next` that waits throws call_canceled.
  void cancel() noexcept { qubus_stream_cancel(handle_.get()); }

  using iterator = detail::next_iterator<event_stream, event>;
  iterator begin() { return iterator(*this); }
  iterator end() { return iterator(); }

 private:
  detail::stream_handle handle_;
};

}  // namespace qubus

#endif

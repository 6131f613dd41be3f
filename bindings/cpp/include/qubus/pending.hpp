/// A call that was started and not waited for.
#ifndef QUBUS_PENDING_HPP
#define QUBUS_PENDING_HPP

#include <qubus.h>

#include <chrono>
#include <cstdint>
#include <future>
#include <utility>

#include "error.hpp"
#include "handle.hpp"

namespace qubus {

/// The outcome of a call to be, with the words of `std::future`, and `cancel`. Destroying it abandons
/// the call: the server stops working on it; a job that was submitted stays.
template <class T>
class pending {
 public:
  using taker = T (*)(qubus_call *);

  pending(qubus_call *call, taker take) noexcept : handle_(call), take_(take) {}

  /// False once `get` gave the outcome.
  bool valid() const noexcept { return handle_ != nullptr; }
  bool is_done() const noexcept { return qubus_call_is_done(handle_.get()) != 0; }

  void wait() const { wait_for(forever); }
  /// `ready` also for a call that failed: `get` throws its error then.
  std::future_status wait_for(std::chrono::milliseconds timeout) const {
    qubus_call_wait(handle_.get(), detail::count(timeout), nullptr);
    return is_done() ? std::future_status::ready : std::future_status::timeout;
  }

  /// Waits for the end and gives the outcome, once. Throws what the call failed with, and
  /// deadline_exceeded when it did not end in time; then it may be asked again.
  T get(std::chrono::milliseconds timeout = forever) {
    detail::native_error error;
    const std::int32_t code = qubus_call_wait(handle_.get(), detail::count(timeout), error.get());
    if (code != QUBUS_OK) error.raise(code, idempotency_key());
    T outcome = take_(handle_.get());
    handle_.reset();
    return outcome;
  }

  /// Asks for the end (`call_canceled`); from any thread.
  void cancel() const noexcept { qubus_call_cancel(handle_.get()); }
  /// Of a submit, readable also after it failed; else "". Valid while the call is.
  const char *idempotency_key() const noexcept {
    return qubus_call_idempotency_key(handle_.get());
  }

  /// As a `std::future`, which a thread of its own waits for. Gives the call away.
  std::future<T> to_future() && {
    return std::async(std::launch::async, [moved = std::move(*this)]() mutable {
      return moved.get();
    });
  }

 private:
  detail::call_handle handle_;
  taker take_;
};

}  // namespace qubus

#endif

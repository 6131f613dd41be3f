/// A durable job.
#ifndef QUBUS_JOB_HPP
#define QUBUS_JOB_HPP

#include <qubus.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "error.hpp"
#include "events.hpp"
#include "handle.hpp"
#include "pending.hpp"
#include "result.hpp"

namespace qubus {

/// When a cancel reached its job.
enum class cancel_outcome : std::int32_t {
  before_start = QUBUS_CANCEL_BEFORE_START,
  during_run = QUBUS_CANCEL_DURING_RUN,
  too_late = QUBUS_CANCEL_TOO_LATE,
};

struct cancellation {
  cancel_outcome outcome;
  std::uint64_t shots_done;     ///< done and charged
};

/// Made by `client::submit` or `client::attach`. Destroying it leaves the job alone.
class job {
 public:
  explicit job(qubus_job *native) noexcept : handle_(native) {}

  /// Sortable by time of submission.
  std::string id() const { return qubus_job_id(handle_.get()); }
  /// True when the submit found the job by its idempotency key.
  bool is_duplicate() const noexcept { return qubus_job_is_duplicate(handle_.get()) != 0; }

  /// The lifecycle's word, for example "queued". Asks the server.
  std::string status(std::chrono::milliseconds timeout = call_timeout) const {
    detail::native_error error;
    std::int32_t status = 0;
    error.check(qubus_job_status(handle_.get(), detail::count(timeout), &status, error.get()));
    return qubus_job_status_name(status);
  }
  /// The whole job as JSON (message Job).
  std::string describe(std::chrono::milliseconds timeout = call_timeout) const {
    detail::native_error error;
    qubus_text *text = nullptr;
    error.check(qubus_job_describe(handle_.get(), detail::count(timeout), &text, error.get()));
    return detail::take_text(text);
  }
  /// Waits for a terminal status and gives it.
  std::string wait(std::chrono::milliseconds timeout = forever) const {
    detail::native_error error;
    std::int32_t status = 0;
    error.check(qubus_job_wait(handle_.get(), detail::count(timeout), &status, error.get()));
    return qubus_job_status_name(status);
  }
  /// Waits for the end and fetches everything. A failed job throws its own error; a canceled one
  /// gives its partial result when it has one, else throws execution_canceled.
  qubus::result result(std::chrono::milliseconds timeout = forever) const {
    detail::native_error error;
    qubus_result *fetched = nullptr;
    error.check(qubus_job_result(handle_.get(), detail::count(timeout), &fetched, error.get()));
    return qubus::result(fetched);
  }
  /// Starts fetching, waiting on the server up to `wait` for the job's end; result_not_ready when
  /// that was too short.
  pending<qubus::result> result_async(std::chrono::milliseconds wait = forever) const {
    detail::native_error error;
    qubus_call *call = nullptr;
    error.check(qubus_job_result_start(
        handle_.get(), detail::count(wait), 0, 0, &call, error.get()));
    return {call, take_result};
  }
  /// Events after a sequence number; 0: from the start.
  event_stream events(std::uint64_t after = 0) const {
    detail::native_error error;
    qubus_stream *stream = nullptr;
    error.check(qubus_stream_open(handle_.get(), after, 0, &stream, error.get()));
    return event_stream(stream);
  }
  /// Stops the job; asking again gives the same answer.
  cancellation cancel(
      const std::string &reason = "", std::chrono::milliseconds timeout = call_timeout) const {
    detail::native_error error;
    std::int32_t outcome = 0;
    std::uint64_t shots = 0;
    error.check(qubus_job_cancel(
        handle_.get(), detail::or_null(reason, "reason"), detail::count(timeout), &outcome, &shots,
        error.get()));
    return {static_cast<cancel_outcome>(outcome), shots};
  }

  /// For `pending`.
  static qubus::result take_result(qubus_call *call) {
    detail::native_error error;
    qubus_result *taken = nullptr;
    error.check(qubus_call_take_result(call, &taken, error.get()));
    return qubus::result(taken);
  }
  static job take(qubus_call *call) {
    detail::native_error error;
    qubus_job *taken = nullptr;
    error.check(qubus_call_take_job(call, &taken, error.get()));
    return job(taken);
  }

 private:
  detail::job_handle handle_;
};

}  // namespace qubus

#endif

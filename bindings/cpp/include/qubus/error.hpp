/// The exceptions: one tree with `qubus::error` at its root, one class for each class of the error
/// registry. Branch on the class or on `code()`; never on the message.
#ifndef QUBUS_ERROR_HPP
#define QUBUS_ERROR_HPP

#include <qubus.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "violations.hpp"

namespace qubus {

/// What an error tells.
struct error_data {
  std::int32_t code = 0;
  std::string name;
  std::string error_class;
  std::string message;
  std::string action;
  bool retryable = false;
  std::optional<std::chrono::milliseconds> retry_after;
  std::string trace_id;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::string text;
  std::string excerpt;
  std::string details_json;
  std::string idempotency_key;
};

class error : public std::exception {
 public:
  explicit error(error_data data)
      : data_(std::make_shared<const error_data>(std::move(data))),
        what_(std::make_shared<const std::string>(describe(*data_))) {}

  const char *what() const noexcept override { return what_->c_str(); }
  /// Number of the registry, the same in every language; compare with `qubus::code::…`.
  std::int32_t code() const noexcept { return data_->code; }
  /// Its stable name, for example "invalid_shots".
  const std::string &name() const noexcept { return data_->name; }
  /// What was wrong, where, what the limit is.
  const std::string &message() const noexcept { return data_->message; }
  /// What to do.
  const std::string &action() const noexcept { return data_->action; }
  /// True when the same call may succeed later.
  bool retryable() const noexcept { return data_->retryable; }
  /// How long to wait before that; none when unknown.
  std::optional<std::chrono::milliseconds> retry_after() const noexcept {
    return data_->retry_after;
  }
  /// Also in the server's log; "" for errors of the client side.
  const std::string &trace_id() const noexcept { return data_->trace_id; }
  /// Place in the program's source, from 1; 0 when there is none.
  std::uint32_t line() const noexcept { return data_->line; }
  std::uint32_t column() const noexcept { return data_->column; }
  /// The offending text of the program; its source line with a caret line.
  const std::string &text() const noexcept { return data_->text; }
  const std::string &excerpt() const noexcept { return data_->excerpt; }
  /// {"violations":[{field,explanation,limit}],"details":{…}}
  const std::string &details_json() const noexcept { return data_->details_json; }
  /// The fields that break a rule.
  std::vector<violation> violations() const { return detail::read_violations(details_json()); }
  /// Of a submit that failed: a new submit under it makes no second job.
  const std::string &idempotency_key() const noexcept { return data_->idempotency_key; }

 private:
  static std::string describe(const error_data &data) {
    std::string text = data.name + " (" + std::to_string(data.code) + "): " + data.message;
    if (data.line > 0) {
      text += " (line " + std::to_string(data.line) + ", column " + std::to_string(data.column) + ")";
    }
    if (!data.excerpt.empty()) text += "\n" + data.excerpt;
    return text;
  }

  // Shared, so that copying an exception cannot throw.
  std::shared_ptr<const error_data> data_;
  std::shared_ptr<const std::string> what_;
};

}  // namespace qubus

#include "errors_generated.hpp"

namespace qubus::detail {

/// An error struct of which only what a call reads is set: clearing its 4 kB for each step would cost
/// more than the call.
class native_error {
 public:
  native_error() noexcept {
    native_.struct_size = static_cast<std::uint32_t>(sizeof native_);
    native_.code = 0;
  }
  qubus_error *get() noexcept { return &native_; }

  /// Throws unless `code` is 0.
  void check(std::int32_t code, const char *idempotency_key = "") const {
    if (code != QUBUS_OK) raise(code, idempotency_key);
  }

  [[noreturn]] void raise(std::int32_t code, const char *idempotency_key = "") const {
    error_data data;
    data.code = code;
    data.idempotency_key = idempotency_key;
    if (native_.code == 0) {
      data.name = qubus_error_name(code);
      data.action = qubus_error_action(code);
      throw_class(std::move(data));
    }
    data.code = native_.code;
    data.name = native_.name;
    data.error_class = native_.error_class;
    data.message = native_.message;
    data.action = native_.action;
    data.retryable = native_.retryable != 0;
    if (native_.retry_after_milliseconds != QUBUS_UNSET) {
      data.retry_after = std::chrono::milliseconds(native_.retry_after_milliseconds);
    }
    data.trace_id = native_.trace_id;
    data.line = native_.line;
    data.column = native_.column;
    data.text = native_.text;
    data.excerpt = native_.excerpt;
    data.details_json = native_.details_json;
    throw_class(std::move(data));
  }

 private:
  qubus_error native_;
};

/// Throws an error of this side.
[[noreturn]] inline void raise(std::int32_t code, std::string message) {
  error_data data;
  data.code = code;
  data.name = qubus_error_name(code);
  data.message = std::move(message);
  data.action = qubus_error_action(code);
  throw_class(std::move(data));
}

/// As a C string, which ends with NUL, so that none may stand inside.
inline const char *c_text(const std::string &text, const char *field) {
  const std::size_t at = text.find('\0');
  if (at != std::string::npos) {
    raise(QUBUS_E_NUL_IN_STRING,
          std::string(field) + " holds a NUL at byte " + std::to_string(at));
  }
  return text.c_str();
}

/// The same, NULL for "".
inline const char *or_null(const std::string &text, const char *field) {
  return text.empty() ? nullptr : c_text(text, field);
}

}  // namespace qubus::detail

#endif

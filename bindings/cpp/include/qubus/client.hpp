/// The connection to a daemon.
#ifndef QUBUS_CLIENT_HPP
#define QUBUS_CLIENT_HPP

#include <qubus.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "error.hpp"
#include "handle.hpp"
#include "job.hpp"
#include "pending.hpp"
#include "session.hpp"
#include "spec.hpp"

namespace qubus {

struct client_options {
  std::string endpoint;                      ///< "": QUBUS_ENDPOINT, then the default sockets
  std::string name = "qubus-cpp";            ///< shown in provenance
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds call_timeout{30000};  ///< of calls without a time-out of their own
  std::string server_key;  ///< of curve://: 40 Z85 characters or a file with them; "": QUBUS_SERVER_KEY
  std::string key_file;    ///< of curve://: see `generate_key`; "": QUBUS_KEY_FILE
  std::string secret_key;  ///< of curve://, in place of key_file: 40 Z85 characters
  std::string token;       ///< bearer token of every call; "": QUBUS_TOKEN
};

/// Makes a key pair, writes it to a new file that only its owner may read, and gives the public key,
/// for whoever adds it to the server. Throws invalid_argument when the file exists.
inline std::string generate_key(const std::string &path) {
  char key[QUBUS_KEY_CAPACITY];
  detail::native_error error;
  error.check(qubus_key_generate(detail::c_text(path, "path"), key, error.get()));
  return key;
}

class client {
 public:
  /// Connects and shakes hands. Throws connection_failed, unauthenticated, invalid_key,
  /// unsupported_protocol_version, abi_mismatch, invalid_argument.
  explicit client(const client_options &options) {
    qubus_client_options native = QUBUS_CLIENT_OPTIONS_INIT;
    native.endpoint = detail::or_null(options.endpoint, "endpoint");
    native.client_name = detail::or_null(options.name, "name");
    native.connect_timeout_milliseconds = options.connect_timeout.count();
    native.call_timeout_milliseconds = options.call_timeout.count();
    native.server_key = detail::or_null(options.server_key, "server_key");
    native.key_file = detail::or_null(options.key_file, "key_file");
    native.secret_key = detail::or_null(options.secret_key, "secret_key");
    native.token = detail::or_null(options.token, "token");
    detail::native_error error;
    qubus_client *opened = nullptr;
    error.check(qubus_client_open(&native, &opened, error.get()));
    handle_.reset(opened);
  }
  explicit client(std::string endpoint = "") : client(of_endpoint(std::move(endpoint))) {}

  std::string endpoint() const { return qubus_client_endpoint(handle_.get()); }
  /// Pending calls end with client_closed. Jobs go on.
  void close() noexcept { qubus_client_close(handle_.get()); }
  /// Round trip to the daemon.
  void ping(std::chrono::milliseconds timeout = call_timeout) const {
    detail::native_error error;
    error.check(qubus_client_ping(handle_.get(), detail::count(timeout), error.get()));
  }
  /// Replaces the token of the calls to come; "": they go without one.
  void set_token(const std::string &token) const {
    detail::native_error error;
    error.check(
        qubus_client_set_token(handle_.get(), detail::c_text(token, "token"), error.get()));
  }
  /// Any method of proto/ that sends one message and gets one, for example
  /// `call("CreateTenant", R"({"name": "lab"})")`. Throws invalid_argument naming the field, before
  /// anything is sent; else what the server answers.
  std::string call(const std::string &method, const std::string &request_json = "{}",
                   std::chrono::milliseconds timeout = call_timeout) const {
    detail::native_error error;
    qubus_text *text = nullptr;
    error.check(qubus_client_call_json(
        handle_.get(), detail::c_text(method, "method"), detail::c_text(request_json, "request"),
        detail::count(timeout), &text, error.get()));
    return detail::take_text(text);
  }
  /// JSON of what a method answers, for example `request(QUBUS_METHOD_HEALTH)`.
  std::string request(std::int32_t method, const std::string &subject = "",
                      std::chrono::milliseconds timeout = call_timeout) const {
    detail::native_error error;
    qubus_text *text = nullptr;
    error.check(qubus_client_request(
        handle_.get(), method, detail::or_null(subject, "subject"), nullptr, 0, detail::count(timeout), &text,
        error.get()));
    return detail::take_text(text);
  }

  /// Returns once the job is durable, not once it ran. A failure's `idempotency_key` makes a second
  /// submit safe. Throws validation errors with line and column, idempotency_conflict, …
  job submit(const job_spec &spec, std::chrono::milliseconds timeout = call_timeout) const {
    return submit_async(spec).get(timeout);
  }
  pending<job> submit_async(const job_spec &spec) const {
    const detail::packed_job packed(spec);
    detail::native_error error;
    qubus_call *call = nullptr;
    error.check(qubus_job_submit_start(handle_.get(), packed.get(), 0, &call, error.get()));
    return {call, job::take};
  }
  /// Dry run: memory, time, lane, as JSON of message PlanResponse.
  std::string plan(const job_spec &spec, std::chrono::milliseconds timeout = call_timeout) const {
    const detail::packed_job packed(spec);
    detail::native_error error;
    qubus_text *text = nullptr;
    error.check(qubus_client_plan(
        handle_.get(), packed.get(), detail::count(timeout), &text, error.get()));
    return detail::take_text(text);
  }
  /// Runs one pub as a job; `expectation_values` of the result have the shape of parameters and
  /// observables broadcast against each other. Sessions are the faster way to many of them.
  result estimate(const pub &what, std::chrono::milliseconds timeout = forever) const {
    job_spec spec;
    spec.pubs.push_back(what);
    return submit(spec).result(timeout);
  }
  /// A job by its id; does not ask the server.
  job attach(const std::string &job_id) const {
    detail::native_error error;
    qubus_job *attached = nullptr;
    error.check(qubus_job_attach(handle_.get(), detail::c_text(job_id, "job_id"), &attached, error.get()));
    return job(attached);
  }

  /// Compiles a program and keeps its plan in the daemon.
  session open_session(
      const session_spec &spec, std::chrono::milliseconds timeout = call_timeout) const {
    const session::packed_spec packed(spec);
    detail::native_error error;
    qubus_session *opened = nullptr;
    error.check(qubus_session_open(
        handle_.get(), packed.get(), detail::count(timeout), &opened, error.get()));
    return session(opened);
  }
  /// Takes a session over. `last_sequence`: of the last step answered here; 0 when unknown. Throws
  /// session_not_found, also for a wrong secret.
  session resume_session(const std::string &id, const session::secret_bytes &secret,
                         std::uint64_t last_sequence,
                         std::chrono::milliseconds timeout = call_timeout) const {
    detail::native_error error;
    qubus_session *resumed = nullptr;
    error.check(qubus_session_resume(
        handle_.get(), detail::c_text(id, "id"), secret.data(), last_sequence, detail::count(timeout), &resumed,
        error.get()));
    return session(resumed);
  }
  /// The principal's sessions as JSON (message ListSessionsResponse).
  std::string sessions(
      bool include_ended = false, std::chrono::milliseconds timeout = call_timeout) const {
    detail::native_error error;
    qubus_text *text = nullptr;
    error.check(qubus_client_sessions(
        handle_.get(), include_ended ? 1 : 0, detail::count(timeout), &text, error.get()));
    return detail::take_text(text);
  }

 private:
  static client_options of_endpoint(std::string endpoint) {
    client_options options;
    options.endpoint = std::move(endpoint);
    return options;
  }
  detail::client_handle handle_;
};

}  // namespace qubus

#endif

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "check.hpp"

namespace {

/// A folder of its own, gone with the test.
class folder {
 public:
  folder() {
    char path[] = "/tmp/qubus-cpp-XXXXXX";
    CHECK(mkdtemp(path) != nullptr);
    path_ = path;
  }
  ~folder() {
    unlink(file().c_str());
    rmdir(path_.c_str());
  }
  folder(const folder &) = delete;
  folder &operator=(const folder &) = delete;
  std::string file() const { return path_ + "/client.key"; }

 private:
  std::string path_;
};

qubus::error refused_options(const qubus::client_options &options) {
  return thrown([&] { const qubus::client opened(options); });
}

bool says(const qubus::error &error, const std::string &part) {
  return std::string(error.what()).find(part) != std::string::npos;
}

}  // namespace

TEST("a made key is read back and never overwritten") {
  const folder place;
  const std::string key = qubus::generate_key(place.file());
  struct stat told {};
  CHECK(key.size() == 40 && stat(place.file().c_str(), &told) == 0);
  CHECK((told.st_mode & 07777) == 0600);
  refused({QUBUS_E_INVALID_ARGUMENT}, [&] { qubus::generate_key(place.file()); });
  // The file is right and arrives; its public half is not the server's key.
  qubus::client_options options;
  options.endpoint = "curve://127.0.0.1:9";
  options.server_key = key;
  options.key_file = place.file();
  CHECK(says(refused_options(options), "own public key"));
  options.server_key = std::string(40, '0');
  CHECK(chmod(place.file().c_str(), 0644) == 0);
  const qubus::error error = refused_options(options);
  CHECK(error.code() == QUBUS_E_INVALID_KEY && says(error, "0644") && says(error, place.file()));
}

TEST("keys and tokens are never told") {
  qubus::client_options options;
  options.endpoint = "curve://127.0.0.1:9";
  options.server_key = std::string(40, '0');
  options.secret_key = "not.a.key";
  CHECK(!says(refused_options(options), "not.a.key"));
  options = {};
  options.endpoint = "ipc:///nonexistent";
  options.token = "with space";
  const qubus::error error = refused_options(options);
  CHECK(error.code() == QUBUS_E_INVALID_ARGUMENT && !says(error, "with space"));
}

TEST("a call by name takes and gives JSON") {
  const qubus::client client = connect();
  CHECK(client.call("Health").find("\"state\":\"serving\"") != std::string::npos);
  const qubus::error error = refused(
      {QUBUS_E_INVALID_ARGUMENT}, [&] { client.call("GetJob", R"({"id": "x"})"); });
  CHECK(says(error, "no field \"id\""));
  refused({QUBUS_E_JOB_NOT_FOUND, QUBUS_E_INVALID_REQUEST}, [&] {
    client.call("GetJob", R"({"job_id": "01900000-0000-7000-8000-000000000000"})");
  });
}

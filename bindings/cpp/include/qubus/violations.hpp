/// Reads the violations out of an error's details.
#ifndef QUBUS_VIOLATIONS_HPP
#define QUBUS_VIOLATIONS_HPP

#include <cstddef>
#include <string>
#include <vector>

namespace qubus {

/// A field that breaks a rule.
struct violation {
  std::string field;
  std::string explanation;
  std::string limit;
};

namespace detail {

/// Reads the JSON string whose opening quote is at `at` and moves `at` behind it. The library writes
/// control characters as \u00XX and everything else as it is.
inline std::string read_json_string(const std::string &json, std::size_t &at) {
  std::string text;
  for (at += 1; at < json.size() && json[at] != '"'; at++) {
    if (json[at] != '\\' || at + 1 >= json.size()) {
      text += json[at];
      continue;
    }
    at += 1;
    switch (json[at]) {
      case 'n': text += '\n'; break;
      case 't': text += '\t'; break;
      case 'r': text += '\r'; break;
      case 'b': text += '\b'; break;
      case 'f': text += '\f'; break;
      case 'u':
        if (at + 4 < json.size()) {
          text += static_cast<char>(std::stoi(json.substr(at + 1, 4), nullptr, 16) & 0x7F);
          at += 4;
        }
        break;
      default: text += json[at];
    }
  }
  at += 1;
  return text;
}

/// Of {"violations":[{"field":…,"explanation":…,"limit":…},…],"details":{…}}.
inline std::vector<violation> read_violations(const std::string &json) {
  std::vector<violation> found;
  std::size_t at = json.find('[');
  if (at == std::string::npos) return found;
  std::string key;
  bool is_value = false;
  for (at += 1; at < json.size() && json[at] != ']';) {
    switch (json[at]) {
      case '{': found.emplace_back(); is_value = false; at += 1; break;
      case ':': is_value = true; at += 1; break;
      case ',': is_value = false; at += 1; break;
      case '"': {
        std::string text = read_json_string(json, at);
        if (!is_value || found.empty()) {
          key = std::move(text);
        } else if (key == "field") {
          found.back().field = std::move(text);
        } else if (key == "explanation") {
          found.back().explanation = std::move(text);
        } else if (key == "limit") {
          found.back().limit = std::move(text);
        }
        break;
      }
      default: at += 1;
    }
  }
  return found;
}

}  // namespace detail
}  // namespace qubus

#endif

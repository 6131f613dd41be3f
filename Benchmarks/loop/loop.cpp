/// Times steps of a session from C++: one JSON line, microseconds.
/// usage: loop ENDPOINT CASE energy|gradient SECONDS     (CASE: a folder, see case.py)
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <qubus/qubus.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

static std::string read_file(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + " cannot be read");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Rows of little-endian float64.
static std::vector<double> read_numbers(const std::string &path) {
  const std::string bytes = read_file(path);
  std::vector<double> numbers(bytes.size() / sizeof(double));
  bytes.copy(reinterpret_cast<char *>(numbers.data()), numbers.size() * sizeof(double));
  return numbers;
}

static qubus::observable read_observable(const std::string &path) {
  std::istringstream lines(read_file(path));
  qubus::observable sum;
  for (qubus::term term; lines >> term.pauli >> term.coefficient;) sum.push_back(term);
  return sum;
}

static void print_figures(
    std::vector<double> &samples, double value, const std::vector<double> &gradient) {
  std::sort(samples.begin(), samples.end());
  const std::size_t count = samples.size();
  std::printf("{\"p50_us\": %.3f, \"p99_us\": %.3f, \"minimum_us\": %.3f, \"count\": %zu, "
              "\"value\": %.17g, \"gradient\": ",
              samples[count / 2], samples[count * 99 / 100], samples[0], count, value);
  if (gradient.empty()) {
    std::printf("null}\n");
    return;
  }
  for (std::size_t i = 0; i < gradient.size(); i++) {
    std::printf("%s%.17g", i > 0 ? ", " : "[", gradient[i]);
  }
  std::printf("]}\n");
}

static void run(const std::string &endpoint, const std::string &folder, bool has_gradient,
                double seconds) {
  using clock = std::chrono::steady_clock;
  using microseconds = std::chrono::duration<double, std::micro>;
  const std::vector<double> numbers = read_numbers(folder + "/parameters.f64");
  qubus::session_spec spec;
  spec.program = read_file(folder + "/program.qasm");
  spec.observables = {read_observable(folder + "/observable.txt")};
  const qubus::client client(endpoint);
  const qubus::session session = client.open_session(spec);

  const std::size_t parameters = session.parameter_count(), rows = numbers.size() / parameters;
  std::vector<double> value(1), gradient(has_gradient ? parameters : 0);
  qubus::step step;
  step.outputs = has_gradient ? QUBUS_STEP_VALUES | QUBUS_STEP_GRADIENTS : QUBUS_STEP_VALUES;
  step.values = value;
  step.gradients = gradient;
  const auto evaluate = [&](std::size_t number) {
    step.parameters = qubus::span<const double>(numbers).subspan(number % rows * parameters, parameters);
    session.evaluate(step);
  };
  evaluate(0);
  const double first = value[0];
  const std::vector<double> kept = gradient;
  evaluate(1);
  evaluate(2);
  std::vector<double> samples;
  samples.reserve(4000);
  const auto began = clock::now();
  while (samples.size() < 4000) {
    const auto start = clock::now();
    evaluate(samples.size());
    const auto end = clock::now();
    samples.push_back(microseconds(end - start).count());
    if (end - began > std::chrono::duration<double>(seconds) && samples.size() >= 3) break;
  }
  print_figures(samples, first, kept);
}

int main(int argc, char **argv) {
  if (argc != 5) return 64;
  try {
    run(argv[1], argv[2], std::string(argv[3]) == "gradient", std::stod(argv[4]));
  } catch (const std::exception &error) {
    std::cerr << "loop: " << error.what() << '\n';
    return 1;
  }
  return 0;
}

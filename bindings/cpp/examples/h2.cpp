/// VQE of H2: the loop here with gradients of the daemon, then the loop in the daemon.
///
///   h2 [ENDPOINT]
#include <cmath>
#include <cstdio>
#include <iostream>
#include <qubus/qubus.hpp>
#include <utility>
#include <vector>

/// H2 at 0.735 Å, STO-3G, Jordan-Wigner, spin up and down of an orbital side by side; in hartree, the
/// nuclear repulsion in the identity. From bindings/python/examples/data/h2.json: integrals by
/// PySCF, mapped by OpenFermion.
static const qubus::observable hydrogen = {
    {"IIII", -0.09057898608834791}, {"IIIZ", 0.1721839326191556},
    {"IIZI", 0.1721839326191556},   {"IIZZ", 0.16892753870087907},
    {"IZII", -0.22575349222402394}, {"IZIZ", 0.12091263261776625},
    {"IZZI", 0.16614543256382408},  {"XXYY", -0.04523279994605785},
    {"XYYX", 0.04523279994605785},  {"YXXY", 0.04523279994605785},
    {"YYXX", -0.04523279994605785}, {"ZIII", -0.22575349222402394},
    {"ZIIZ", 0.16614543256382408},  {"ZIZI", 0.12091263261776625},
    {"ZZII", 0.17464343068300453},
};

/// The exact ground state, and how near to it chemistry wants to be.
static constexpr double exact = -1.1373060357534004, chemical_accuracy = 1.6e-3;

/// Two electrons in the lower spin orbitals, 0 and 1, and unitary coupled cluster: exp(-i t/2 YXXX)
/// moves both to the upper ones, the single excitations move one of them.
static const char ansatz[] = R"(OPENQASM 3;
include "stdgates.inc";

gate single_excitation(t) a, b {
  cx b, a;
  ry(t/2) b; cx a, b; ry(-t/2) b; cx a, b;
  cx b, a;
}

input float up;
input float down;
input float both;
qubit[4] q;
x q[0];
x q[1];

single_excitation(up) q[0], q[2];
single_excitation(down) q[1], q[3];

h q[0]; h q[1]; h q[2]; sdg q[3]; h q[3];
cx q[0], q[1]; cx q[1], q[2]; cx q[2], q[3];
rz(both) q[3];
cx q[2], q[3]; cx q[1], q[2]; cx q[0], q[1];
h q[0]; h q[1]; h q[2]; h q[3]; s q[3];
)";

/// Follows the gradient with the step lengths of Barzilai and Borwein (1988). The loop allocates
/// nothing: the session reads and writes these vectors in place.
static std::pair<double, int> descend(const qubus::session &session) {
  const std::size_t count = session.parameter_count();
  std::vector<double> at(count), energy(1), gradient(count), before(count), moved(count);
  double rate = 0.5;
  int steps = 1;
  for (; steps <= 200; steps++) {
    session.step_gradient(at, energy, gradient);
    double norm = 0, along = 0, length = 0;
    for (std::size_t i = 0; i < count; i++) {
      norm += gradient[i] * gradient[i];
      along += moved[i] * (gradient[i] - before[i]);
      length += moved[i] * moved[i];
    }
    if (norm < 1e-16) break;
    if (along > 0) rate = length / along;
    for (std::size_t i = 0; i < count; i++) {
      before[i] = gradient[i];
      moved[i] = -rate * gradient[i];
      at[i] += moved[i];
    }
  }
  return {energy[0], steps};
}

/// Runs the loop in the daemon and prints some of its iterations as they come.
static qubus::optimum optimize(const qubus::session &session) {
  qubus::optimization_spec spec;
  spec.method = "adam";
  spec.initial.resize(session.parameter_count());
  spec.options = {{"learning_rate", 0.1}};
  spec.max_iterations = 300;
  qubus::optimization optimization = session.optimize(spec);
  for (const qubus::iteration &one : optimization) {
    if (one.number % 50 == 1) {
      std::printf("  iteration %3d  %.6f\n", static_cast<int>(one.number), one.value);
    }
  }
  return optimization.result();
}

static void run(const qubus::client &client) {
  qubus::session_spec spec;
  spec.program = ansatz;
  spec.observables = {hydrogen};
  spec.name = "H2";
  const qubus::session session = client.open_session(spec);
  const auto [energy, steps] = descend(session);
  std::printf("here           %.9f  after %d steps\n", energy, steps);
  const qubus::optimum found = optimize(session);
  std::printf("in the daemon  %.9f  after %d iterations, %s\n", found.best_value,
              static_cast<int>(found.iterations), found.ending.c_str());
  std::printf("exact          %.9f\n", exact);
  for (const double value : {energy, found.best_value}) {
    if (std::abs(value - exact) > chemical_accuracy) {
      throw std::runtime_error("this is not the ground state");
    }
  }
}

int main(int argc, char **argv) {
  try {
    run(qubus::client(argc > 1 ? argv[1] : ""));
  } catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}

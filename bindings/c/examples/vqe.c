/// Finds the ground energy of H2 (0.735 Å, STO-3G, Jordan-Wigner): first with the loop here, a
/// gradient descent over steps of a session, then with Adam in the daemon.
///
///   vqe [ENDPOINT]
///
/// Exit status 0 when both reach -1.137306 hartree within chemical accuracy (1.6e-3).
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "qubus.h"

// Qubits 0 and 1 hold the two electrons of the Hartree-Fock state; `both` moves the pair into the
// upper orbital, by exp(-i both/2 YXXX) of unitary coupled cluster.
static const char ansatz[] =
    "OPENQASM 3;\n"
    "include \"stdgates.inc\";\n"
    "gate single_excitation(t) a, b {\n"
    "  cx b, a; ry(t/2) b; cx a, b; ry(-t/2) b; cx a, b; cx b, a;\n"
    "}\n"
    "input float up;\n"
    "input float down;\n"
    "input float both;\n"
    "qubit[4] q;\n"
    "x q[0]; x q[1];\n"
    "single_excitation(up) q[0], q[2];\n"
    "single_excitation(down) q[1], q[3];\n"
    "h q[0]; h q[1]; h q[2]; sdg q[3]; h q[3];\n"
    "cx q[0], q[1]; cx q[1], q[2]; cx q[2], q[3];\n"
    "rz(both) q[3];\n"
    "cx q[2], q[3]; cx q[1], q[2]; cx q[0], q[1];\n"
    "h q[0]; h q[1]; h q[2]; h q[3]; s q[3];\n";

// Integrals by PySCF, mapped by OpenFermion: bindings/python/examples/data/h2.json. The nuclear
// repulsion is part of the first term.
static const qubus_pauli_term hamiltonian[] = {
    {"IIII", -0.09057898608834791}, {"IIIZ", 0.1721839326191556},
    {"IIZI", 0.1721839326191556},   {"IIZZ", 0.16892753870087907},
    {"IZII", -0.22575349222402394}, {"IZIZ", 0.12091263261776625},
    {"IZZI", 0.16614543256382408},  {"XXYY", -0.04523279994605785},
    {"XYYX", 0.04523279994605785},  {"YXXY", 0.04523279994605785},
    {"YYXX", -0.04523279994605785}, {"ZIII", -0.22575349222402394},
    {"ZIIZ", 0.16614543256382408},  {"ZIZI", 0.12091263261776625},
    {"ZZII", 0.17464343068300453},
};
static const double ground_energy = -1.1373060357534004, chemical_accuracy = 1.6e-3;

enum { parameter_count = 3, steps_maximum = 500 };

static int report(const char *what, const qubus_error *error) {
  fprintf(stderr, "%s: %s (%d): %s\n  %s\n", what, error->name, (int)error->code, error->message,
          error->action);
  return 1;
}

static int judge(const char *what, double energy, uint64_t count, const char *unit) {
  printf("%-14s %.9f hartree after %" PRIu64 " %s\n", what, energy, count, unit);
  return !(fabs(energy - ground_energy) < chemical_accuracy);
}

static int descend(qubus_session *session) {
  qubus_error error = QUBUS_ERROR_INIT;
  double angles[parameter_count] = {0}, slope[parameter_count], energy = 0, steepness = 1;
  qubus_step step = QUBUS_STEP_INIT;
  step.outputs = QUBUS_STEP_VALUES | QUBUS_STEP_GRADIENTS;
  step.parameters = angles;
  step.values = &energy;
  step.values_capacity = 1;
  step.gradients = slope;
  step.gradients_capacity = parameter_count;
  while (steepness > 1e-6 && step.sequence < steps_maximum) {
    if (qubus_session_step(session, &step, 10000, &error)) return report("step", &error);
    if (step.sequence == 1) printf("%-14s %.9f hartree\n", "Hartree-Fock", energy);
    steepness = 0;
    for (int i = 0; i < parameter_count; i++) {
      angles[i] -= 0.5 * slope[i];
      steepness += slope[i] * slope[i];
    }
    steepness = sqrt(steepness);
  }
  return judge("here", energy, step.sequence, "steps");
}

static int optimize_in_daemon(qubus_session *session) {
  qubus_error error = QUBUS_ERROR_INIT;
  const double start[parameter_count] = {0};
  const qubus_option options[] = {{"learning_rate", 0.1}};
  qubus_optimization_spec spec = QUBUS_OPTIMIZATION_SPEC_INIT;
  spec.method = "adam";
  spec.initial = start;
  spec.options = options;
  spec.option_count = 1;
  spec.max_iterations = 300;
  qubus_optimization *optimization;
  if (qubus_optimization_start(session, &spec, 0, &optimization, &error)) {
    return report("optimize", &error);
  }
  qubus_iteration iteration = QUBUS_ITERATION_INIT;
  int32_t code;
  while ((code = qubus_optimization_next(optimization, 30000, &iteration, &error)) == QUBUS_OK) {
    if (iteration.number % 50 == 0) {
      printf("  iteration %" PRIu64 ": %.9f\n", iteration.number, iteration.value);
    }
  }
  qubus_optimum optimum = QUBUS_OPTIMUM_INIT;
  if (code == QUBUS_E_END_OF_STREAM) {
    code = qubus_optimization_result(optimization, 30000, &optimum, &error);
  }
  int failed = code ? report("optimize", &error)
                    : judge("in the daemon", optimum.best_value, optimum.iterations, "iterations");
  qubus_optimization_free(&optimization);
  return failed;
}

int main(int argc, char **argv) {
  qubus_client_options options = QUBUS_CLIENT_OPTIONS_INIT;
  options.client_name = "vqe.c";
  if (argc > 1) options.endpoint = argv[1];
  qubus_error error = QUBUS_ERROR_INIT;
  qubus_client *client;
  if (qubus_client_open(&options, &client, &error)) return report("open", &error);

  qubus_observable observable = QUBUS_OBSERVABLE_INIT;
  observable.terms = hamiltonian;
  observable.term_count = sizeof hamiltonian / sizeof hamiltonian[0];
  qubus_session_spec spec = QUBUS_SESSION_SPEC_INIT;
  spec.program = ansatz;
  spec.observables = &observable;
  spec.observable_count = 1;
  spec.name = "H2";
  qubus_session *session;
  int failed = qubus_session_open(client, &spec, 10000, &session, &error);
  if (failed) {
    report("session", &error);
  } else {
    failed = descend(session);
    if (!failed) failed = optimize_in_daemon(session);
    qubus_session_free(&session);
  }
  qubus_client_free(&client);
  return failed != 0;
}

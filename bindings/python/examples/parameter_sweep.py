"""A sweep: a batch of parameter rows and several observables in one step. Endpoint: QUBUS_ENDPOINT."""
import numpy as np

import qubus

# Two spins in a field that turn into each other; their correlations over time and field.
PROGRAM = """
OPENQASM 3;
include "stdgates.inc";
input float time;
input float field;
qubit[2] q;
h q[0];
for int step in [1:20] {
  cx q[0], q[1]; rz(time/10) q[1]; cx q[0], q[1];
  rx(field*time/10) q[0];
  rx(field*time/10) q[1];
}
"""
OBSERVABLES = ["ZZ", "XX", "IZ"]


def main() -> np.ndarray:
    times, fields = np.linspace(0, 5, 51), np.linspace(0, 2, 21)
    with qubus.Client() as client, client.session(PROGRAM, observables=OBSERVABLES) as session:
        grid = np.stack(np.meshgrid(times, fields, indexing="ij"), axis=-1).reshape(-1, 2)
        values = session.batch(grid).reshape(len(times), len(fields), len(OBSERVABLES))
        # by name, arrays and numbers broadcast into rows
        slice_at_one = session.batch({"time": times, "field": 1.0})
    print(f"{len(grid)} rows, {len(OBSERVABLES)} observables each: an array {values.shape}")
    print("  time    " + "      ".join(OBSERVABLES) + "   at field 1")
    for t, row in list(zip(times, slice_at_one))[::10]:
        print(f"  {t:4.1f}  " + "  ".join(f"{v:+.4f}" for v in row))
    assert np.array_equal(values[:, 10], slice_at_one)  # the same bits, one by one or in a batch
    return values


if __name__ == "__main__":
    main()

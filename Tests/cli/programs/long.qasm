OPENQASM 3.0;
include "stdgates.inc";
qubit[20] q;
bit[20] c;
for int i in [0:19] { h q[i]; }
c[0] = measure q[0];
if (c[0]) { x q[1]; }
for int i in [0:18] { cx q[i], q[i + 1]; }
c = measure q;

"""Two jobs through a running daemon: a Bell pair and a four-bit adder. Endpoint: QUBUS_ENDPOINT."""
import pathlib

import qubus

HERE = pathlib.Path(__file__).parent


def show(title: str, result: qubus.Result) -> None:
    print(f"\n{title}")
    for bits, count in sorted(result.counts.items()):
        print(f"  {bits}  {count}")
    provenance = result.provenance
    for field in ("device", "engine", "engine_version", "instruction_set", "seed", "execution_hash"):
        print(f"  {field:16} {provenance[field]}")


with qubus.Client() as client:
    bell = client.submit((HERE / "bell.qasm").read_text(), shots=1024, seed=7, name="bell")
    print("job", bell.id)
    for event in bell.events():
        print(f"  event {event.sequence}: {event.type} {event.status} {event.reason}".rstrip())
    show("Bell pair, 1,024 shots", bell.result(timeout=30))

    adder = client.submit((HERE / "adder.qasm").read_text(), shots=1000, seed=7, name="adder")
    result = adder.result(timeout=30)
    show("13 + 6 on ten qubits", result)
    assert set(result.counts) == {"10011"}, result.counts

"""Times the main path from Python: one JSON line per figure. usage: latency.py ENDPOINT COUNT"""
import json
import statistics
import sys
import time

try:
    import qubus
except ImportError:  # aer.py borrows `timed` and `report` in an environment of its own
    qubus = None

BELL = 'OPENQASM 3;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'


def report(figure: str, samples: list[float], client: str = "python") -> None:
    samples = sorted(s * 1e6 for s in samples)
    print(json.dumps({
        "figure": figure, "client": client, "median_us": round(statistics.median(samples), 1),
        "p99_us": round(samples[int(len(samples) * 0.99)], 1), "minimum_us": round(samples[0], 1),
        "count": len(samples)}), flush=True)


def timed(call, count: int, warm_up: int) -> list[float]:
    samples = []
    for i in range(count + warm_up):
        start = time.perf_counter()
        call(i)
        if i >= warm_up:
            samples.append(time.perf_counter() - start)
    return samples


def main() -> None:
    endpoint, count = sys.argv[1], int(sys.argv[2])
    with qubus.Client(endpoint) as client:
        report("health", timed(lambda i: client.health(), count, 50))
        jobs = []

        def submit(i: int) -> None:
            jobs.append(client.submit(BELL, shots=1024, seed=i))

        submits = []
        for i in range(count + 20):
            start = time.perf_counter()
            submit(i)
            elapsed = time.perf_counter() - start
            jobs.pop().wait(timeout=30)  # drain, so that the next submit finds an idle daemon
            if i >= 20:
                submits.append(elapsed)
        report("submit", submits)
        report("bell", timed(lambda i: client.submit(BELL, shots=1024, seed=i).result(timeout=30).counts, count, 20))


if __name__ == "__main__":
    main()

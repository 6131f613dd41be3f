"""Prints the table of one benchmark run and the floor under it. usage: table.py RESULTS DATA_DIR"""
import collections
import json
import os
import statistics
import sys
import time

TARGETS = {("health", "c"): 60, ("submit", "c"): 300, ("bell", "python"): 1000}


def fdatasync_median(folder: str) -> float:
    """Median microseconds of one 4 KiB overwrite with fdatasync: what a durable commit cannot beat."""
    path = os.path.join(folder, "fdatasync-probe")
    handle = os.open(path, os.O_CREAT | os.O_RDWR)
    os.write(handle, b"x" * (1 << 20))
    os.fsync(handle)
    samples = []
    for i in range(300):
        os.pwrite(handle, b"y" * 4096, i % 256 * 4096)
        start = time.perf_counter()
        os.fdatasync(handle)
        samples.append((time.perf_counter() - start) * 1e6)
    os.close(handle)
    os.unlink(path)
    return statistics.median(samples)


def main() -> None:
    rows = collections.defaultdict(list)
    rates = []
    for line in open(sys.argv[1]):
        entry = json.loads(line)
        if entry["figure"] == "pipeline":
            rates.append(entry)
        else:
            rows[entry["figure"], entry["client"]].append(entry)
    print(f"\n{'figure':12} {'client':28} {'median µs':>10} {'p99 µs':>10} {'expected':>9}")
    for (figure, client), entries in sorted(rows.items()):
        median = statistics.median(e["median_us"] for e in entries)
        p99 = statistics.median(e["p99_us"] for e in entries)
        target = TARGETS.get((figure, client))
        print(f"{figure:12} {client:28} {median:10.1f} {p99:10.1f} {('≤ %d' % target) if target else '':>9}")
    acknowledged = statistics.median(r["acknowledged_per_second"] for r in rates)
    terminal = statistics.median(r["terminal_per_second"] for r in rates)
    print(f"pipelined from {rates[0]['clients']} clients: {acknowledged:.0f} durable submits/s acknowledged "
          f"(expected ≥ 8000), {terminal:.0f} jobs/s to the terminal state")
    aer = [e["median_us"] for (f, c), es in rows.items() if c.startswith("aer") for e in es]
    bell = [e["median_us"] for e in rows["bell", "python"]]
    if aer and bell:
        print(f"Bell from Python, durable, is {statistics.median(bell) / statistics.median(aer):.2f} × Aer in-process")
    bare = statistics.median(e["median_us"] for e in rows["bare zeromq", "c"])
    health = statistics.median(e["median_us"] for e in rows["health", "c"])
    print(f"floor: a bare ZeroMQ round trip takes {bare:.0f} µs here; health is {health / bare:.2f} × that")
    ipc, curve = (statistics.median(e["median_us"] for e in rows[figure, "c"]) for figure in ("step", "step, curve"))
    print(f"a step over curve on loopback takes {curve - ipc:.1f} µs more than over ipc (expected ≤ 25)")
    print(f"floor: one fdatasync here takes {fdatasync_median(sys.argv[2]):.0f} µs (median)")


if __name__ == "__main__":
    main()

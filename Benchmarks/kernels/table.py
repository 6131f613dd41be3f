"""Prints one run of the kernel benchmark and appends it, stamped, to the stored history."""

import json
import platform
import subprocess
import sys
import time


def processor():
    """The model name of the first processor, or the architecture where Linux does not tell."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def main(source, history):
    with open(source, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    stamp = {"time": int(time.time()), "commit": commit, "processor": processor()}
    peak = 1.0
    for row in rows:
        if "peak_gflops" in row:
            peak = row["peak_gflops"]
            print(f"\n{row['isa']} {row['precision']}: peak {peak:.1f} GFLOP/s")
            print("kernel              position  bits  ps/amplitude  GFLOP/s  of peak    GB/s")
        elif "memory_gbytes_per_s" in row:
            print(f"memory, one thread: {row['memory_gbytes_per_s']:.1f} GB/s")
        else:
            print(
                f"{row['kernel']:20}{row['position']:8}{row['bits']:6}"
                f"{row['ns_per_amplitude'] * 1000:14.1f}{row['gflops']:9.1f}"
                f"{row['gflops'] / peak:9.0%}{row['gbytes_per_s']:8.0f}"
            )
    with open(history, "a", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps({**stamp, **row}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

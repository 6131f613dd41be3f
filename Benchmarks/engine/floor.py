"""The floor under the table: this machine's bandwidth and multiply-add peak, by floor.c."""
import json
import pathlib
import subprocess

SOURCE = pathlib.Path(__file__).with_name("floor.c")
# A state up to here stays in the caches between two passes.
CACHED_BYTES = 16 << 20


def build(folder: pathlib.Path) -> pathlib.Path:
    """Compiles the program into a folder."""
    program = folder / "floor"
    subprocess.run(
        ["cc", "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O3", "-ffp-contract=fast", "-Wall",
         "-Wextra", str(SOURCE), "-o", str(program), "-lpthread"], check=True)
    return program


def measure(program: pathlib.Path, threads: int) -> dict:
    """Bytes and flops a second with this many threads."""
    done = subprocess.run([str(program), str(threads)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def seconds(figures: dict, plan_bytes: float, plan_flops: float, qubits: int, precision: str):
    """What a plan cannot beat, and whether `memory` or `flops` binds."""
    state_bytes = (8 if precision == "single" else 16) << qubits
    where = "cache" if state_bytes <= CACHED_BYTES else "memory"
    moving = plan_bytes / figures[f"{where}_bytes_per_second"]
    computing = plan_flops / figures[f"{precision}_flops_per_second"]
    return max(moving, computing), "flops" if computing > moving else "memory"


def text(figures: dict) -> str:
    """One line for people."""
    giga = {k: v / 1e9 for k, v in figures.items() if k.endswith("_second")}
    return (f"{figures['threads']} thread(s): in-place read+write "
            f"{giga['memory_bytes_per_second']:.0f} GB/s at 256 MiB, "
            f"{giga['cache_bytes_per_second']:.0f} at 16 MiB, "
            f"{giga['chunk_bytes_per_second']:.0f} in L2; multiply-add "
            f"{giga['single_flops_per_second']:.0f} GFLOP/s single, "
            f"{giga['double_flops_per_second']:.0f} double "
            f"({'/'.join(sorted(set(figures['isa'])))})")

"""What a table was made on."""
import os
import pathlib
import platform
import subprocess


def description() -> str:
    """Processor, CPUs, memory and system in one line."""
    return (f"{processor()}, {len(os.sched_getaffinity(0))} CPUs, {widest()}, "
            f"{memory_gibibytes():.0f} GiB, {platform.system()} {platform.release()}")


def processor() -> str:
    for line in cpuinfo():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def widest() -> str:
    """The widest vector instructions."""
    flags = next((line for line in cpuinfo() if line.startswith(("flags", "Features"))), "").split()
    for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("asimd", "NEON")):
        if flag in flags:
            return name
    return "baseline"


def cpuinfo() -> list[str]:
    return pathlib.Path("/proc/cpuinfo").read_text().splitlines()


def memory_gibibytes() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


# What a figure depends on, from the root of the checkout.
MEASURED = ("Sources", "Package.swift", "Benchmarks/engine/runner")


def commit() -> str:
    """The newest commit that changed what is measured, with `+` when tracked files of it differ."""
    changed = git("diff", "--quiet", "HEAD", "--", *MEASURED)
    return resolved("HEAD") + ("+" if changed.returncode == 1 else "")


def resolved(name: str) -> str:
    """A branch, tag or hash as the history stores it; other words as they are."""
    found = git("log", "-1", "--format=%h", "--abbrev=10", name.rstrip("+"), "--", *MEASURED)
    mark = "+" if name.endswith("+") else ""
    return found.stdout.strip() + mark if found.returncode == 0 and found.stdout else name


def git(*words: str) -> subprocess.CompletedProcess:
    root = pathlib.Path(__file__).resolve().parent.parent.parent
    return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)

"""Derives the cffi declarations from the headers in include, so that these are their only source.

Environment: `QUBUS_LIBRARY_DIR`, the folder of libqubus.so.0 (default: .build/release of the
repository); `QUBUS_INCLUDE_DIR`, the folder of qubus.h (default: include of the repository).
"""
import os
import pathlib
import re

from cffi import FFI

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
LIBRARY_NAME = "libqubus.so.0"


def include_directory() -> pathlib.Path:
    return pathlib.Path(os.environ.get("QUBUS_INCLUDE_DIR") or REPOSITORY / "include")


def library_file() -> pathlib.Path:
    folder = pathlib.Path(os.environ.get("QUBUS_LIBRARY_DIR") or REPOSITORY / ".build" / "release")
    path = folder / LIBRARY_NAME
    if not path.exists():
        raise SystemExit(
            f"{path} does not exist: build it with scripts/build, or set QUBUS_LIBRARY_DIR to the "
            f"folder of {LIBRARY_NAME}")
    return path


def _without_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)


def _without_cpp_only(text: str) -> str:
    """Drops the blocks that only a C++ compiler sees."""
    return re.sub(r"^#ifdef __cplusplus\n.*?^#endif\n", "", text, flags=re.S | re.M)


def declarations(header: str) -> str:
    """What cffi needs of a header: types, functions, and integer macros left to the compiler.

    Macros that are no integer constants (initialisers, texts, attributes) are left out.
    """
    text = _without_cpp_only(_without_comments(header)).replace("\\\n", " ")
    macros, body = [], []
    for line in text.splitlines():
        if not line.lstrip().startswith("#"):
            body.append(line)
            continue
        macro = re.match(r"\s*#define\s+(QUBUS_\w+)\s+(-?\d+u?|INT64_MIN)\s*$", line)
        if macro:
            macros.append(f"#define {macro[1]} ...")
    constants = dict(re.findall(r"#define\s+(QUBUS_\w+)\s+(\d+)u?\s*$", text, flags=re.M))
    joined = re.sub(r"\bQUBUS_API\b", "", "\n".join(body))
    # cffi wants array lengths as numbers; the compiler checks them against the header
    joined = re.sub(r"\[(QUBUS_\w+)\]", lambda m: f"[{constants[m[1]]}]", joined)
    return "\n".join(macros) + "\n" + joined


def make_builder() -> FFI:
    builder = FFI()
    include = include_directory()
    headers = ("qubus_errors.h", "qubus.h", "qubus_session.h")
    text = "\n".join((include / header).read_text() for header in headers)
    builder.cdef(declarations(text))
    builder.set_source(
        "qubus._qubus", '#include "qubus.h"\n', include_dirs=[str(include)],
        extra_objects=[str(library_file())],
        extra_link_args=["-Wl,-rpath,$ORIGIN", "-Wl,--disable-new-dtags"])
    return builder


ffibuilder = make_builder()

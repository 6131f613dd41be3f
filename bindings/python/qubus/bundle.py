"""Bundles: a result with all that is needed to check and repeat it, in one zip.

    bundle.json          format, version, and the SHA-256 of every other file
    request.json         pubs (program file, parameters, observables, shots), seed, options
    program/N.qasm       source of pub N
    provenance.json, manifest.json, job.json
    arrays/N/NAME.npy    the arrays of pub N

Loading recomputes every hash: of the files, of the arrays against the manifest, of the programs
against the provenance.
"""
from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

from .arrays import Array
from .errors import QubusError, of_name
from .observables import parse_observables
from .spec import JobSpec, program_bytes

if TYPE_CHECKING:
    from .result import Result

FORMAT = "qubus.bundle"
VERSION = 1
_TEXTS = ("provenance", "manifest", "job")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _digest(files: dict[str, str]) -> str:
    return _sha256(json.dumps(files, sort_keys=True).encode())


def _request_document(result: Result, programs: list[bytes | None]) -> dict[str, Any]:
    """The submission as JSON; programs are named, not embedded."""
    import numpy

    request = result.request
    pubs: list[dict[str, Any]] = []
    options: dict[str, Any] = {}
    if isinstance(request, JobSpec):
        options = {key: value for key, value in request.options.items() if value not in (None, (), False)}
        for pub in request.pubs:
            entry: dict[str, Any] = {"shots": pub.shots}
            entry["parameters"] = {
                name: numpy.asarray(value, float).tolist()
                for name, value in (pub.parameters or {}).items()}
            if pub.observables is not None:
                shape, terms = parse_observables(pub.observables)
                entry["observables"] = {"shape": list(shape), "terms": terms}
            pubs.append(entry)
    elif isinstance(request, dict):
        options = request.get("options", {})
        pubs = [{k: v for k, v in pub.items() if k != "program"} for pub in request["pubs"]]
    else:
        pubs = [{"shots": pub.shots} for pub in result]
        pubs[0]["parameters_of_all_pubs"] = result.provenance.get("parameters", [])
    for number, (entry, program) in enumerate(zip(pubs, programs)):
        entry["program"] = None if program is None else f"program/{number}.qasm"
    return {"pubs": pubs, "seed": result.seed, "options": options}


def _check_programs(programs: list[bytes | None], hashes: list[str]) -> None:
    for number, (program, expected) in enumerate(zip(programs, hashes)):
        if program is not None and _sha256(program) != expected:
            raise of_name(
                "result_corrupt",
                f"program {number} is not the one of the provenance: its SHA-256 is "
                f"{_sha256(program)}, not {expected}")


def save_bundle(
    result: Result, path: str | os.PathLike[str], programs: list[str | bytes] | None
) -> None:
    import numpy

    sources = result.programs
    if programs is not None:
        if len(programs) != len(result):
            raise ValueError(f"the result has {len(result)} pubs, but {len(programs)} programs are given")
        sources = [program_bytes(program) for program in programs]
    _check_programs(sources, result.provenance.get("program_hashes", []))
    contents: dict[str, bytes] = {
        "request.json": json.dumps(_request_document(result, sources), indent=1).encode()}
    for number, source in enumerate(sources):
        if source is not None:
            contents[f"program/{number}.qasm"] = source
    for name in _TEXTS:
        contents[f"{name}.json"] = result._text(name)
    for pub in result:
        for name, array in pub._arrays.items():
            buffer = io.BytesIO()
            numpy.save(buffer, array.numpy, allow_pickle=False)
            contents[f"arrays/{pub.number}/{name}.npy"] = buffer.getvalue()
    files = {name: _sha256(data) for name, data in sorted(contents.items())}
    index = {"format": FORMAT, "version": VERSION, "job_id": result.job_id, "files": files,
             "digest": _digest(files)}
    temporary = f"{os.fspath(path)}.partial"
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bundle.json", json.dumps(index, indent=1))
        for name, data in contents.items():
            archive.writestr(name, data)
    os.replace(temporary, path)


def _corrupt(path: Any, explanation: str) -> QubusError:
    return of_name("result_corrupt", f"the bundle {os.fspath(path)} {explanation}")


def _read(path: str | os.PathLike[str]) -> dict[str, bytes]:
    """Every file of the bundle, checked against the index."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if len(names) != len(set(names)):
            raise _corrupt(path, "holds a file twice")
        contents = {name: archive.read(name) for name in names}
    try:
        index = json.loads(contents.pop("bundle.json"))
        files: dict[str, str] = index["files"]
        format, version, digest = index["format"], index["version"], index["digest"]
    except (KeyError, ValueError, TypeError) as failure:
        raise _corrupt(path, f"has no readable bundle.json: {failure}") from None
    if format != FORMAT:
        raise _corrupt(path, f"is of format {format!r}, not {FORMAT!r}")
    if version != VERSION:
        raise of_name(
            "unsupported_schema_version", f"the bundle has version {version}; this package reads {VERSION}")
    if digest != _digest(files):
        raise _corrupt(path, "has an index that was changed")
    for name in sorted(files.keys() ^ contents.keys()):
        raise _corrupt(path, f"lacks {name}" if name in files else f"holds {name}, which its index does not name")
    for name, data in contents.items():
        if _sha256(data) != files[name]:
            raise _corrupt(path, f"was changed: {name} does not match its SHA-256")
    return contents


def _check_manifest(path: Any, manifest: dict[str, Any], pubs: dict[int, dict[str, Array]]) -> None:
    items = {(item.get("pub", 0), item["name"]): item for item in manifest.get("items", ())}
    held = {(pub, name): array for pub, arrays in pubs.items() for name, array in arrays.items()}
    for pub, name in sorted(items.keys() ^ held.keys()):
        raise _corrupt(path, f"does not fit its manifest: {name} of pub {pub}")
    for key, array in held.items():
        expected = items[key].get("sha256")
        if expected and _sha256(array.numpy.tobytes()) != expected:
            raise _corrupt(path, f"does not fit its manifest: SHA-256 of {key[1]} of pub {key[0]}")


def load_bundle(path: str | os.PathLike[str]) -> Result:
    """Reads a bundle and checks every hash in it.

    Raises:
        PostProcessingError: `result_corrupt` when anything in it was changed.
        ValidationError: `unsupported_schema_version` for one of a newer version.
    """
    import numpy

    from .result import Result

    try:
        contents = _read(path)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as failure:
        raise _corrupt(path, f"is no readable zip: {failure}") from None
    pubs: dict[int, dict[str, Array]] = {}
    try:
        for name, data in contents.items():
            if name.startswith("arrays/"):
                _, number, file = name.split("/")
                array = numpy.load(io.BytesIO(data), allow_pickle=False)
                pubs.setdefault(int(number), {})[file.removesuffix(".npy")] = Array.of_numpy(array)
        request = json.loads(contents["request.json"])
        for pub in request["pubs"]:
            pub["program"] = None if pub["program"] is None else contents[pub["program"]]
        result = Result(pubs, texts={t: contents[f"{t}.json"] for t in _TEXTS}, request=request)
        manifest, provenance = result.manifest, result.provenance
    except (KeyError, ValueError, TypeError) as failure:
        raise _corrupt(path, f"cannot be read: {failure!r}") from None
    _check_manifest(path, manifest, pubs)
    _check_programs(result.programs, provenance.get("program_hashes", []))
    if request["seed"] != result.seed:
        raise _corrupt(path, "names another seed than its provenance")
    return result

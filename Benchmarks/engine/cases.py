"""Which circuits a run measures, and their files."""
import dataclasses
import pathlib

import circuit as circuits
import families
import mqt_circuits
import qasm

# Settings of larger circuits are found on this size of the same family, which no longer fits into
# the caches either.
TUNING_QUBITS = 22


@dataclasses.dataclass(frozen=True)
class Case:
    """One row: `start` is `product` (seeded random product state) or `zero` (|0…0⟩)."""

    family: str
    qubits: int
    start: str = "product"

    @property
    def name(self) -> str:
        return f"{self.family} from |0⟩" if self.start == "zero" else self.family


class CircuitFiles:
    """Writes each case once into a folder that lives as long as the run."""

    def __init__(self, folder: pathlib.Path, cache: pathlib.Path) -> None:
        self._folder, self._cache = folder, cache

    def circuit(self, case: Case) -> circuits.Circuit:
        if case.family.startswith("mqt-"):
            made = mqt_circuits.circuit(case.family[4:], case.qubits, self._cache)
        else:
            made = families.FAMILIES[case.family](case.qubits)
        if case.start == "zero":
            return made
        return circuits.with_product_start(made, families.SEED)

    def files(self, case: Case) -> dict[str, str]:
        """Fields of a `prepare` request."""
        found = self.write(f"{case.family}-{case.qubits}-{case.start}", lambda: self.circuit(case))
        if case.qubits > TUNING_QUBITS:
            smaller = dataclasses.replace(case, qubits=TUNING_QUBITS)
            found["tuning"] = self.files(smaller)["circuit"]
        return found

    def write(self, name: str, make, **text_options) -> dict[str, str]:
        """Both forms of a circuit under one name."""
        json_path, qasm_path = self._folder / f"{name}.json", self._folder / f"{name}.qasm"
        if not json_path.exists():
            made = make()
            made.write(json_path)
            qasm_path.write_text(qasm.text(made, **text_options))
        return {"circuit": str(json_path), "qasm": str(qasm_path)}


def selected(names: list[str] | None, sizes: list[int] | None, quick: bool, precision: str):
    """The cases of a run: those asked for, or the default set."""
    every = [*families.FAMILIES, "mqt"]
    if names or sizes:
        names, sizes = names or every, sizes or [12, 16, 20]
        return [case for name in names for size in sizes for case in expanded(name, size)]
    if quick:
        return [Case(name, size) for name in ("qft", "qv", "random") for size in (8, 16)]
    found = [Case(name, size) for size in (4, 8, 12, 16, 20) for name in families.FAMILIES]
    found += [Case(name, 24) for name in ("qft", "qv", "random")]
    found += [Case(name, 20, "zero") for name in ("qft", "ghz")]
    # At 24 qubits the suite runs where the peers take seconds, not minutes.
    for size in (12, 16, 20, 24) if precision == "single" else (12, 16, 20):
        found += expanded("mqt", size)
    return found


def expanded(name: str, size: int) -> list[Case]:
    """`mqt` stands for all its algorithms at a size it has; `NAME-zero` starts from |0…0⟩."""
    if name == "mqt":
        return ([Case(f"mqt-{a}", size) for a in mqt_circuits.ALGORITHMS]
                if size in mqt_circuits.SIZES else [])
    if name.endswith("-zero"):
        return [Case(name.removesuffix("-zero"), size, "zero")]
    return [Case(name, size)]

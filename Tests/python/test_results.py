"""Results out of Python: bundles, JSON, CSV, HTML, plots."""
import csv
import io
import json
import zipfile

import numpy
import pytest

import qubus

PROGRAM = 'OPENQASM 3;\n// é\n'


@pytest.fixture
def result(scripted_client):
    return scripted_client.submit(
        PROGRAM, shots=1024, seed=2**64 - 1, name="<bell>",
        parameters={"theta": 0.25}, observables=[("ZZ", 1.0)]).result(timeout=10)


@pytest.fixture
def bundle(result, tmp_path):
    path = tmp_path / "bell.zip"
    result.save_bundle(path)
    return path


def rewrite(path, change):
    """Writes the bundle again with its files changed by `change(dict)`."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    change(contents)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)


def test_a_bundle_loads_as_the_same_result(result, bundle):
    again = qubus.load_bundle(bundle)
    assert again.counts == result.counts and again.memory == result.memory
    assert numpy.array_equal(again.statevector, result.statevector)
    assert again.probabilities_dict() == result.probabilities_dict()
    assert float(again.expectation_values) == 1.0
    assert again.provenance == result.provenance and again.manifest == result.manifest
    assert again.seed == 2**64 - 1 and again.job_id == result.job_id
    assert again.programs == [PROGRAM.encode()]
    pub = again.request["pubs"][0]
    assert pub["parameters"] == {"theta": 0.25} and pub["shots"] == 1024
    assert pub["observables"]["terms"] == [[["ZZ", 1.0]]]
    assert not again.is_partial


def test_a_loaded_bundle_can_be_saved_again(bundle, tmp_path):
    qubus.load_bundle(bundle).save_bundle(tmp_path / "again.zip")
    assert qubus.load_bundle(tmp_path / "again.zip").programs == [PROGRAM.encode()]


def test_every_file_of_a_bundle_is_guarded(bundle, tmp_path):
    original = bundle.read_bytes()
    with zipfile.ZipFile(bundle) as archive:
        names = archive.namelist()
    assert len(names) >= 12
    for name in names:
        def flip(contents):
            data = bytearray(contents[name])
            data[len(data) // 2] ^= 1
            contents[name] = bytes(data)

        bundle.write_bytes(original)
        rewrite(bundle, flip)
        with pytest.raises(qubus.QubusError) as caught:
            qubus.load_bundle(bundle)
        assert caught.value.name in ("result_corrupt", "unsupported_schema_version"), name


def test_a_change_with_its_hash_corrected_is_found_by_the_manifest(bundle):
    import hashlib

    from qubus.bundle import _digest

    def forge(contents):
        buffer = io.BytesIO()
        numpy.save(buffer, numpy.array([1000, 24], dtype=numpy.uint64))
        name = "arrays/0/counts.values.npy"
        contents[name] = buffer.getvalue()
        index = json.loads(contents["bundle.json"])
        index["files"][name] = hashlib.sha256(contents[name]).hexdigest()
        index["digest"] = _digest(index["files"])
        contents["bundle.json"] = json.dumps(index).encode()

    rewrite(bundle, forge)
    with pytest.raises(qubus.PostProcessingError) as caught:
        qubus.load_bundle(bundle)
    assert "manifest" in str(caught.value)


@pytest.mark.parametrize("change", [
    lambda c: c.pop("provenance.json"), lambda c: c.pop("bundle.json"),
    lambda c: c.update({"extra": b""}), lambda c: c.update({"bundle.json": b"[]"})])
def test_missing_and_foreign_files_are_refused(bundle, change):
    rewrite(bundle, change)
    with pytest.raises(qubus.PostProcessingError):
        qubus.load_bundle(bundle)


def test_what_is_no_zip_is_refused(tmp_path, bundle):
    path = tmp_path / "no.zip"
    path.write_bytes(b"PK nonsense")
    with pytest.raises(qubus.PostProcessingError):
        qubus.load_bundle(path)
    path.write_bytes(bundle.read_bytes()[:-30])
    with pytest.raises(qubus.PostProcessingError):
        qubus.load_bundle(path)
    with pytest.raises(FileNotFoundError):
        qubus.load_bundle(tmp_path / "absent.zip")


def test_the_program_of_a_bundle_must_be_the_one_that_ran(scripted_client, result, tmp_path):
    attached = scripted_client.job(result.job_id).result(timeout=10)
    assert attached.programs == [None]
    with pytest.raises(qubus.PostProcessingError):
        attached.save_bundle(tmp_path / "x.zip", programs=["another program"])
    attached.save_bundle(tmp_path / "y.zip", programs=[PROGRAM])
    assert qubus.load_bundle(tmp_path / "y.zip").programs == [PROGRAM.encode()]
    attached.save_bundle(tmp_path / "z.zip")
    assert qubus.load_bundle(tmp_path / "z.zip").programs == [None]


def test_json_holds_every_output(result, tmp_path):
    text = result.to_json(tmp_path / "r.json", indent=1)
    assert (tmp_path / "r.json").read_text() == text
    document = json.loads(text)
    assert document["schema"] == "qubus.result/1"
    pub = document["pubs"][0]
    assert pub["counts"] == {"00": 509, "11": 515} and pub["expectation_values"] == 1.0
    assert pub["statevector"][3] == [0.5**0.5, 0.0]
    assert document["provenance"]["seed"] == 2**64 - 1


def test_csv_is_one_tidy_table(result, tmp_path):
    rows = list(csv.DictReader(io.StringIO(result.to_csv(tmp_path / "r.csv"))))
    assert {"pub": "0", "row": "0", "item": "counts", "key": "11", "value": "515"} in rows
    assert sum(row["item"] == "memory" for row in rows) == 4


def test_a_sweep_exports_row_by_row(scripted_client):
    result = scripted_client.submit(
        PROGRAM, name="sweep", parameters={"t": [1.0, 2.0]}).result(timeout=10)
    rows = [r for r in csv.DictReader(io.StringIO(result.to_csv())) if r["item"] == "counts"]
    assert [row["row"] for row in rows] == ["0", "1", "1"]
    assert json.loads(result.to_json())["pubs"][0]["counts"][0] == {"0" * 69 + "1": 10}
    with pytest.raises(ValueError):
        result.plot_histogram()


def test_html_shows_counts(result):
    text = result._repr_html_()
    assert "<code>11</code>" in text and "515" in text and result.job_id in text


def test_a_histogram_has_a_bar_for_each_outcome(result):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    axes = result.plot_histogram()
    assert [bar.get_height() for bar in axes.patches] == [509, 515]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["00", "11"]
    few = result.plot(top=1)
    assert [bar.get_height() for bar in few.patches] == [515, 509]


def test_a_constraint_reads_like_a_sentence():
    answer = qubus.Record(constraints=[{"kind": "QUOTA", "since": 5, "detail": "full", "remedy": "time"}])
    (found,) = qubus.records.constraints(answer)
    assert str(found) == "full (QUOTA); what ends that: time"
    assert found.delay_microseconds is None and found.since == 5
    assert qubus.records.constraints(qubus.Record()) == []

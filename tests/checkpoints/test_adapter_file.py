"""Damaged and forged adapter files: refused in words, nothing is unpickled, and no model is half loaded."""

import json
import os
import pickle
import resource
import struct
import tempfile
from functools import partial
from pathlib import Path

import pytest
import torch
from adapter_files import build, raw, refused, same, state_of, written
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from crossmodal.checkpoints import adapter_file, adapter_state, load_adapters, read_header, save_adapters

TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
OLD = Path(__file__).parents[1] / "golden" / "adapters_format1.safetensors"


def said(**header):
    return {adapter_file.METADATA: json.dumps({"format": 2, "header": header, "sha256": "0" * 64})}


SAID = said()


def bytes_touched():
    """Bytes that this process has asked the system for, and those of the pages that it has mapped in."""
    asked_for = int(Path("/proc/self/io").read_text().split()[1])
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return asked_for + (usage.ru_minflt + usage.ru_majflt) * resource.getpagesize()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "adapters.safetensors"


def test_a_missing_file_and_a_folder_are_named(file):
    assert refused(build(), file, FileNotFoundError) == f"load_adapters: {file} does not exist."
    file.mkdir()
    assert refused(build(), file, OSError) == f"load_adapters: {file} is a folder: name the file in it."


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_file_that_may_not_be_read_is_an_oserror():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "adapters.safetensors"
        save_adapters(build(), file)
        file.chmod(0)
        user = os.geteuid()
        try:
            if user == 0:  # root may read anything
                os.seteuid(65534)
            message = refused(build(seed=1), file, OSError)
        finally:
            os.seteuid(user)
        assert str(file) in message


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\xff" * 64, pickle.dumps({"adapter.0.weight": 1})])
def test_what_is_no_adapter_file_is_refused(file, content):
    file.write_bytes(content)
    assert f"load_adapters: {file} is no whole adapter file of crossmodal" in refused(build(), file)


def test_a_safetensors_file_of_somebody_else_is_refused(file):
    save_file(adapter_state(build()), file)
    assert "is no whole adapter file of crossmodal ('crossmodal')" in refused(build(), file)
    strange = ["3", "[]", "{}", '{"header": 3, "sha256": ""}', "not JSON", "[" * 100_000, "9" * 10_000]
    strange += [json.dumps({"format": form, "header": {}, "sha256": ""}) for form in ("2", None, [2], {})]
    for said in strange:
        save_file(adapter_state(build()), file, {adapter_file.METADATA: said})
        assert "is no whole adapter file of crossmodal" in refused(build(), file)


def test_nothing_is_unpickled(file, tmp_path):
    class Trap:
        def __reduce__(self):
            return (partial(open, tmp_path / "sprung", "w"), ())

    torch.save({"adapter.0.weight": Trap()}, file)
    refused(build(), file)
    file.write_bytes(pickle.dumps(Trap()))
    refused(build(), file)
    assert not (tmp_path / "sprung").exists()


def test_cut_anywhere_a_file_is_refused(file):
    save_adapters(build(), file, recipe="mine")
    whole, model = file.read_bytes(), build(seed=1)
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        assert "no whole adapter file" in refused(model, file, recipe="mine")


def test_with_a_bit_flipped_anywhere_a_file_is_refused(file):
    """Every third bit: each byte of lengths, header, digest and tensors is hit."""
    save_adapters(nn.Linear(1, 2), file, recipe="mine")
    whole, model = file.read_bytes(), nn.Linear(1, 2)
    for bit in range(0, 8 * len(whole), 3):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        file.write_bytes(flipped)
        assert str(file) in refused(model, file)


def test_a_changed_weight_is_noticed(file):
    save_adapters(build(), file)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert refused(build(), file) == (
        f"load_adapters: {file} is damaged: its tensors are not those written. Copy the file again."
    )


def test_the_header_of_damaged_tensors_is_readable_and_loading_them_is_refused(file):
    """Every byte of the tensors is damaged, in the current format and in the first."""
    save_adapters(build(), file, recipe="mine")
    for intact in (file.read_bytes(), OLD.read_bytes()):
        start = 8 + struct.unpack("<Q", intact[:8])[0]
        file.write_bytes(intact[:start] + bytes(byte ^ 0xFF for byte in intact[start:]))
        assert read_header(file)["recipe"] == "mine"
        assert f"load_adapters: {file} is damaged" in refused(build(), file)


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="counts bytes as Linux does")
def test_reading_a_header_reads_none_of_the_tensors(file):
    """A gigabyte of tensors, read neither by calls nor by touching pages of the mapped file."""
    size = 2**30
    entry = {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}
    raw(file, {"adapter": entry, "__metadata__": said(recipe="mine")})
    with file.open("ab") as opened:
        opened.truncate(file.stat().st_size + size)  # a hole: takes no room on the disk
    before = bytes_touched()
    assert read_header(file) == {"recipe": "mine"}
    assert bytes_touched() - before < size / 100


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**32, 2**63, 2**64 - 1, 100_000_001])
def test_a_header_of_an_impossible_length_is_refused(file, length):
    raw(file, {"adapter": TENSOR, "__metadata__": SAID}, bytes(8), length=length)
    assert "no whole adapter file" in refused(build(), file)


FORGED = {
    "another dtype": TENSOR | {"dtype": "F99"},
    "a dtype of other bytes": TENSOR | {"dtype": "F64"},
    "a dtype that is no name": TENSOR | {"dtype": 3},
    "packed halves of bytes": TENSOR | {"dtype": "F4", "shape": [16]},
    "a negative offset": TENSOR | {"data_offsets": [-8, 0]},
    "offsets the wrong way": TENSOR | {"data_offsets": [8, 0]},
    "offsets past the end": TENSOR | {"data_offsets": [8, 16]},
    "offsets past any end": TENSOR | {"data_offsets": [0, 2**64 - 1]},
    "offsets that are no integers": TENSOR | {"data_offsets": [0.0, 8.0]},
    "three offsets": TENSOR | {"data_offsets": [0, 8, 16]},
    "a negative size": TENSOR | {"shape": [-2]},
    "another size": TENSOR | {"shape": [3]},
    "a size past memory": TENSOR | {"shape": [2**62, 2**62]},
    "no bytes of an endless size": TENSOR | {"shape": [0, 2**63], "data_offsets": [0, 0]},
    "no shape": {"dtype": "F32", "data_offsets": [0, 8]},
    "no tensor": 3,
    "null": None,
}


@pytest.mark.parametrize("forged", FORGED)
def test_a_forged_entry_of_a_tensor_is_refused(file, forged):
    model = nn.ParameterDict({"adapter": torch.zeros(2)})
    raw(file, {"adapter": FORGED[forged], "__metadata__": SAID}, bytes(8))
    assert str(file) in refused(model, file)


@pytest.mark.parametrize("metadata", [{"crossmodal": 3}, {"crossmodal": None}, [], "x", {"crossmodal": {}}, {3: "x"}])
def test_forged_metadata_is_refused(file, metadata):
    raw(file, {"adapter": TENSOR, "__metadata__": metadata}, bytes(8))
    assert "no whole adapter file" in refused(build(), file)


@pytest.mark.parametrize("read", [read_header, partial(load_adapters, build())])
def test_a_later_format_and_what_is_no_adapter_file_are_refused_by_both(file, read):
    name = "read_header" if read is read_header else "load_adapters"
    written(file, {"anything": torch.zeros(1)}, {"version": "7.1.0"}, form=3)
    with pytest.raises(ValueError, match=rf"^{name}: .* has format 3, written by version 7\.1\.0"):
        read(file)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match=rf"^{name}: .* is no whole adapter file of crossmodal"):
        read(file)
    file.unlink()
    with pytest.raises(FileNotFoundError, match=rf"^{name}: .* does not exist"):
        read(file)


def test_headers_that_are_no_json_of_a_dictionary_are_refused(file):
    for header in (b"", b"{", b"[]", b"3", b"null", b"\xff\xfe{}", b"{" * 50_000, b"[" * 50_000, b'{"a":' * 50_000):
        raw(file, header)
        assert "no whole adapter file" in refused(build(), file)


def test_a_name_written_twice_is_refused(file):
    """The same name with two places of bytes; the digest is that of neither."""
    entry = json.dumps(TENSOR)
    other = json.dumps(TENSOR | {"data_offsets": [8, 16]})
    header = f'{{"__metadata__": {json.dumps(SAID)}, "adapter": {entry}, "adapter": {other}}}'
    raw(file, header.encode(), bytes(16))
    assert str(file) in refused(nn.ParameterDict({"adapter": torch.zeros(2)}), file)


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float16, torch.complex64, torch.float8_e5m2])
def test_another_dtype_with_a_right_digest_is_refused(file, dtype):
    state = adapter_state(build())
    state["adapter.0.weight"] = state["adapter.0.weight"].to(dtype)
    assert f"{dtype} (2, 4)" in refused(build(seed=1), written(file, state))


@given(data=st.data())
def test_a_file_changed_anywhere_is_refused_or_loads_what_was_saved(tmp_path_factory, data):
    """Bytes put in, taken out and written over, in several places at once: blanks in JSON alone do no harm."""
    file = tmp_path_factory.mktemp("fuzzed") / "adapters.safetensors"
    saved, model = build(2), build(2, seed=1)
    save_adapters(saved, file, recipe="mine", arguments={"latents": 32, "edges": [["audio", "visual"]]})
    content = bytearray(file.read_bytes())
    header = 8 + struct.unpack("<Q", content[:8])[0]
    for _ in range(data.draw(st.integers(1, 4), label="changes")):
        start = data.draw(st.integers(0, min(header, len(content))) | st.integers(0, len(content)), label="start")
        stop = min(start + data.draw(st.integers(0, 9), label="taken out"), len(content))
        content[start:stop] = data.draw(st.binary(max_size=9) | st.sampled_from(BITS), label="put in")
    file.write_bytes(content)
    expected = [state_of(model), {**state_of(model), **adapter_state(saved)}]
    try:
        load_adapters(model, file, recipe="mine")
        said, left = str(file), expected[1]
    except (ValueError, OSError) as error:
        said, left = str(error), expected[0]
    assert str(file) in said
    assert same(state_of(model), left)


BITS = [
    b" ",
    b"-1",
    b"[0,8]",
    b'"',
    b"null",
    b"{}",
    b"\\u0000",
    b"9" * 30,
    b"1e999",
    b"NaN",
    b"F16",
    b"}",
    b"\xed\xa0\x80",
]


@pytest.mark.parametrize("broken", ["crossmodal.checkpoints.adapter_file.save_file", "os.replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(file, monkeypatch, broken):
    old, new = build(), build(seed=1)
    save_adapters(old, file, recipe="old")
    before = file.read_bytes()

    def fail(*args, **kwargs):
        if broken != "os.replace":
            args[1].write_bytes(before[:20])
        raise OSError("No space left on device")

    monkeypatch.setattr(broken, fail)
    with pytest.raises(OSError, match="No space left"):
        save_adapters(new, file, recipe="new")
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(OSError, match=r"save_adapters: .*gone/a\.safetensors cannot be written: .*another folder"):
        save_adapters(build(), tmp_path / "gone" / "a.safetensors")


def test_a_tensor_that_cannot_be_read_leaves_those_before_it_unloaded(file, monkeypatch):
    save_adapters(build(), file)
    opened = []

    class Failing:
        def __init__(self, *args, **kwargs):
            self.file = safe_open(*args, **kwargs)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def __getattr__(self, name):
            return getattr(self.file, name)

        def get_tensor(self, name):
            opened.append(name)
            if len(opened) == 4:
                raise ValueError("a bad sector")
            return self.file.get_tensor(name)

    monkeypatch.setattr(adapter_file, "safe_open", Failing)
    assert "a bad sector" in refused(build(seed=1), file)
    assert len(opened) == 4

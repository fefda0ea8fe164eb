"""Stored waves, and resampling."""

import pickle
import warnings
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.data.wave import read_wave, resample, resample_segments


def save(folder, array, **options):
    np.save(folder / "clip.npy", array, **options)
    return folder / "clip.npy"


@pytest.mark.parametrize("shape", [(12,), (3, 4)])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "float64", "float16"])
def test_samples_come_back_a_second_a_row(tmp_path, shape, dtype):
    samples = np.arange(12).reshape(shape) / 16
    wave = read_wave(save(tmp_path, samples.astype(dtype)), 3, 4)
    torch.testing.assert_close(wave, torch.arange(12.0).view(3, 4) / 16, rtol=0, atol=0)


def test_what_is_read_can_be_written_to(tmp_path):
    file = save(tmp_path, np.zeros(12, np.float32))
    read_wave(file, 3, 4).add_(1)
    assert not np.load(file).any()


def test_a_missing_wave_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the wave .*clip\.npy is missing: download it"):
        read_wave(tmp_path / "clip.npy", 3, 4)


@given(cut=st.integers(0, 139))
def test_a_wave_cut_anywhere_is_named(tmp_path_factory, cut):
    file = save(tmp_path_factory.mktemp("wave"), np.zeros(12, np.float32))
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(ValueError, match=r"clip\.npy is no whole \.npy file .* download it again"):
        read_wave(file, 3, 4)


HEADERS = {
    "not closed": "{'descr': '<f4', 'fortran_order': False, 'shape': (12,",
    "huge": f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({10**30},), }}",
    "below zero": "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
    "text": "{'descr': '<f4', 'fortran_order': False, 'shape': ('a',), }",
    "dtype": "{'descr': ('<f4', (-1,)), 'fortran_order': False, 'shape': (12,), }",
    "nested": "(" * 300 + ")" * 300,
}


@pytest.mark.parametrize("header", HEADERS)
def test_a_wave_of_a_damaged_header_is_named(tmp_path, header):
    content = HEADERS[header].encode() + b"\n"
    magic = b"\x93NUMPY\x01\x00" + len(content).to_bytes(2, "little")
    (tmp_path / "clip.npy").write_bytes(magic + content + bytes(48))
    with pytest.raises(ValueError, match=r"clip\.npy is no whole \.npy file .* download it again"):
        read_wave(tmp_path / "clip.npy", 3, 4)


@given(at=st.integers(10, 127), byte=st.integers(0, 255))
def test_a_byte_that_changed_in_a_header_is_named_or_changes_nothing(tmp_path_factory, at, byte):
    file = save(tmp_path_factory.mktemp("wave"), np.zeros(12, np.float32))
    content = bytearray(file.read_bytes())
    content[at] = byte
    file.write_bytes(content)
    with suppress(ValueError), warnings.catch_warnings(action="ignore"):
        assert not read_wave(file, 3, 4).any()


def test_pickled_objects_are_never_loaded(tmp_path):
    file = save(tmp_path, np.array([Trap()] * 12), allow_pickle=True)
    with pytest.raises(ValueError, match=r"Python objects in dtype.*Pickled files are never loaded"):
        read_wave(file, 3, 4)
    file.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match=r"magic string is not correct.*Pickled files are never loaded"):
        read_wave(file, 3, 4)


class Trap:
    """Whoever unpickles one fails the test."""

    def __reduce__(self):
        return pytest.fail, ("unpickled",)


@pytest.mark.parametrize("dtype", ["int16", "complex64", "bool"])
def test_another_dtype_is_named(tmp_path, dtype):
    with pytest.raises(ValueError, match=rf"clip\.npy holds {dtype}, expected floating .* / 32768"):
        read_wave(save(tmp_path, np.zeros(12, dtype)), 3, 4)


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((6,), "pass its own rate if 2 is the samples a second"),
        ((11,), "it is cut, or too long"),
        ((4, 3), "pass its own rate if 4 is"),
        ((2, 12), "pass its own rate if 8"),
    ],
)
def test_another_length_names_both(tmp_path, shape, hint):
    shown = str(shape).replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(
        ValueError, match=rf"has the shape {shown}, expected 3 segments of rate=4 samples, \(12,\): {hint}"
    ):
        read_wave(save(tmp_path, np.zeros(shape, np.float32)), 3, 4)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_named(tmp_path, value):
    with pytest.raises(ValueError, match=r"clip\.npy holds NaN or infinite samples"):
        read_wave(save(tmp_path, np.full(12, value)), 3, 4)


rates = st.sampled_from([8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000])


@given(segments=st.integers(1, 4), rate=rates, target=rates)
def test_a_tone_stays_the_tone_at_any_rate(segments, rate, target):
    def hum(samples_a_second):
        times = torch.arange(segments * samples_a_second, dtype=torch.float64) / samples_a_second
        return torch.sin(2 * torch.pi * 440 * times).float().view(segments, samples_a_second)

    wave = resample_segments(hum(rate), rate, target)
    inside = slice(target // 10, -target // 10)  # the filter rings where the sound sets in
    torch.testing.assert_close(wave.flatten()[inside], hum(target).flatten()[inside], rtol=0, atol=1e-3)


def test_the_same_rate_changes_nothing():
    wave = torch.randn(7)
    assert resample(wave, 8_000, 8_000) is wave


def test_without_soxr_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "soxr", None)
    with pytest.raises(ImportError, match=r"resample needs the module 'soxr'.*crossmodal-blocks\[recipes\]"):
        resample(torch.zeros(8), 8_000, 16_000)

"""The cache gives back what was put in, belongs to one encoder, and is never half there."""

import os
from multiprocessing import get_context

import pytest
import torch
from safetensors.torch import load_file
from toys import ToyAdapter, toy_encoder

from crossmodal.checkpoints import FeatureCache, cache_bytes, features_follow_from
from crossmodal.injection import Lockstep, couplers_for, freeze, freeze_parameters, from_stage, paired_as_paper, side


def lockstep(stage=0):
    torch.manual_seed(0)
    encoders = {"visual": freeze(toy_encoder()), "audio": freeze(toy_encoder(width=6))}
    sites = {name: encoder.sites for name, encoder in encoders.items()}
    steps = from_stage(paired_as_paper, stage)(sites)
    return side(Lockstep(encoders, steps=steps, couplers=couplers_for(steps, sites, ToyAdapter)))


def features(model, frames=2):
    torch.manual_seed(1)
    return model.read({name: torch.randn(frames, 8, 3) for name in ("visual", "audio")})


@pytest.mark.parametrize(("dtype", "near"), [("float32", 0), ("bfloat16", 2**-8), ("float16", 2**-10)])
def test_what_goes_in_comes_out(tmp_path, dtype, near):
    model = lockstep()
    cache = FeatureCache(tmp_path / "cache", features_follow_from(model), dtype=dtype)
    given = features(model)
    cache.add("a#1", {**given, "labels": torch.tensor([3, 28])})
    assert "a#1" in cache
    assert "a" not in cache
    found = FeatureCache(tmp_path / "cache", features_follow_from(model), dtype=dtype).read("a#1")
    assert found.pop("labels").tolist() == [3, 28]
    assert found.keys() == given.keys()
    for site, stream in found.items():
        assert stream.dtype == getattr(torch, dtype)
        assert ((stream.float() - given[site]).abs() <= near * given[site].abs() + 1e-7 * (near > 0)).all()
    assert model.beside(found).streams["visual"].dtype == torch.float32


@pytest.mark.parametrize("stage", [0, 1])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_its_size_is_known_before(stage, dtype):
    model = lockstep(stage)
    kept = features(model, 3).values()
    size = 4 if dtype == "float32" else 2
    assert cache_bytes(model, 3, dtype=dtype) == sum(stream.numel() * size for stream in kept)
    assert cache_bytes(lockstep(1), 3) < cache_bytes(lockstep(0), 3)


def test_another_encoder_is_refused_in_words(tmp_path):
    facts = features_follow_from(lockstep(), preprocess="64 pixels")
    FeatureCache(tmp_path, facts)
    other = lockstep()
    other.encoders["audio"].stem.weight.data[0, 0] += 1
    with pytest.raises(ValueError, match=r"follow from something else \(encoder audio: '\w{64}' there, '\w{64}' now\)"):
        FeatureCache(tmp_path, features_follow_from(other, preprocess="64 pixels"))
    with pytest.raises(ValueError, match=r"\(preprocess: '64 pixels' there, '32 pixels' now\): name another"):
        FeatureCache(tmp_path, features_follow_from(lockstep(), preprocess="32 pixels"))
    with pytest.raises(ValueError, match=r"\(sites: 'audio.stages.0.0.attention .*' there, '.*' now\)"):
        FeatureCache(tmp_path, features_follow_from(lockstep(1), preprocess="64 pixels"))
    with pytest.raises(ValueError, match=r"\(dtype: 'float32' there, 'float16' now\)"):
        FeatureCache(tmp_path, facts, dtype="float16")
    with pytest.raises(ValueError, match=r"FeatureCache: dtype='float8' must be one of 'float32', 'bfloat16'"):
        FeatureCache(tmp_path, facts, dtype="float8")


def test_an_encoder_that_drops_at_random_is_refused():
    model = lockstep()
    freeze_parameters(model.encoders["audio"])
    with pytest.raises(ValueError, match=r"the encoder 'audio' follows train\(\), so that its features change"):
        features_follow_from(model)


def test_what_is_there_is_not_made_again(tmp_path):
    model = lockstep()
    cache = FeatureCache(tmp_path, features_follow_from(model))
    clips = ["b/c", "a", "Ü&x"]
    assert cache.missing(clips) == clips
    cache.add("b/c", features(model))
    assert cache.missing(clips) == ["a", "Ü&x"]
    with pytest.raises(FileNotFoundError, match=r"has no clip 'a': fill the cache first"):
        cache.read("a")


def test_a_kill_leaves_nothing_half_written(tmp_path, monkeypatch):
    model = lockstep()
    cache = FeatureCache(tmp_path, features_follow_from(model))
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match=r"a.safetensors cannot be written: No space left on device; make room there"):
        cache.add("a", features(model))
    assert cache.missing(["a"]) == ["a"]
    assert [file.name for file in tmp_path.iterdir()] == ["header.json"]


def test_what_is_damaged_or_too_large_is_told(tmp_path):
    model = lockstep()
    cache = FeatureCache(tmp_path, features_follow_from(model), dtype="float16")
    with pytest.raises(ValueError, match=r"audio.stem of clip 'a' reaches 7e\+04, which float16 cannot hold: take"):
        cache.add("a", {"audio.stem": torch.tensor([[[-7e4]]])})
    for unknown in (float("nan"), float("-inf")):
        with pytest.raises(ValueError, match=r"audio.stem of clip 'a' has 1 numbers of 2 that are NaN or infinite as"):
            cache.add("a", {"audio.stem": torch.tensor([[[unknown, 7e4]]])})
    cache.file("a").write_bytes(b"half a file")
    with pytest.raises(ValueError, match=r"a.safetensors is damaged \(.*\): delete it, and fill again"):
        cache.read("a")


def fill_cache(folder, first):
    torch.set_num_threads(1)
    model = lockstep()
    cache = FeatureCache(folder, features_follow_from(model))
    for clip in [f"{(first + number) % 6}" for number in range(6)]:
        cache.add(clip, features(model))


@pytest.mark.slow
def test_processes_may_fill_it_at_once(tmp_path):
    workers = [get_context("spawn").Process(target=fill_cache, args=(tmp_path, first)) for first in (0, 3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    files = sorted(file.name for file in tmp_path.iterdir())
    assert files == [*(f"{clip}.safetensors" for clip in range(6)), "header.json"]
    expected = features(lockstep())
    for clip in range(6):
        found = load_file(tmp_path / f"{clip}.safetensors")
        assert all(torch.equal(found[site], stream) for site, stream in expected.items())

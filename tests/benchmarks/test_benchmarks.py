"""The benchmarks at tiny size: what is measured, kept, gone on with, and written."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

command = pytest.importorskip("benchmarks.__main__")
from benchmarks import machine, measuring, results, tables  # noqa: E402 (behind the skip)
from benchmarks.groups import GROUPS  # noqa: E402
from benchmarks.setting import Setting  # noqa: E402
from crossmodal.evaluation.page_marks import marks  # noqa: E402

ROOT = Path(__file__).parents[2]
MARKS = "\n".join(mark for name in ("attention", "counts") for mark in marks(f"benchmarks {name}"))


@pytest.fixture
def page(tmp_path):
    file = tmp_path / "page.md"
    file.write_text(f"Before.\n{MARKS}\nBehind.\n")
    return file


def test_it_measures_writes_the_page_and_does_not_measure_again(tmp_path, page, capsys, monkeypatch):
    monkeypatch.setattr(Setting, "model", cache(Setting.model))  # three commands ask for it
    words = ["attention", "--size", "tiny", "--out", str(tmp_path / "found.json"), "--page", str(page)]
    command.main(words)
    first = json.loads((tmp_path / "found.json").read_text())
    assert list(first["measurements"]["attention"]) == [
        *("image, stage 1", "image, stage 2"),
        *("sound, stage 1", "sound, stage 2"),
    ]
    text = page.read_text()
    assert text.startswith("Before.\n")
    assert text.endswith("Behind.\n")
    assert "| windows of ten frames | `sdpa` | `reference` | sdpa / reference |" in text
    command.main(words)
    assert json.loads((tmp_path / "found.json").read_text()) == first
    command.main([*words, "--again"])
    assert json.loads((tmp_path / "found.json").read_text()) != first


def test_a_run_that_stops_has_lost_one_measurement(tmp_path, monkeypatch):
    def fail():
        raise RuntimeError("the power is gone")

    made = {"first": lambda: {"number": 1}, "second": fail}
    monkeypatch.setitem(command.GROUPS, "counts", (lambda setting: made, lambda found: ""))
    kept = results.Results(tmp_path / "found.json", {"cores": 2})
    with pytest.raises(RuntimeError, match="the power is gone"):
        command.measure("counts", Setting("tiny"), kept)
    again = results.Results(tmp_path / "found.json", {"cores": 2})
    assert again.of("counts")["first"]["number"] == 1
    made["second"] = lambda: {"number": 2}
    made["first"] = fail
    command.measure("counts", Setting("tiny"), again)
    assert [found["number"] for found in again.of("counts").values()] == [1, 2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["count"], r"there is no group 'count'; there are counts, profile, couplers"),
        (["counts", "--rounds", "0"], r"--rounds=0 must be at least 1"),
        (
            ["steps"],
            r"benchmarks steps: .*page.md has no place for the table: it lacks <!-- benchmarks steps: begin --> and",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_measured(words, message, page, tmp_path):
    with pytest.raises(ValueError, match=message):
        command.main([*words, "--size", "tiny", "--page", str(page), "--out", str(tmp_path / "found.json")])
    assert not (tmp_path / "found.json").exists()


def test_results_of_another_machine_are_left_alone(tmp_path):
    results.Results(tmp_path / "found.json", {"cores": 64}).add("counts", "one", {"number": 1})
    with pytest.raises(ValueError, match=r"holds results of another machine: .*64.*, this is .*2"):
        results.Results(tmp_path / "found.json", {"cores": 2})


def test_variants_take_turns_and_the_first_call_is_not_counted():
    order = []
    found = measuring.in_turns(
        {name: lambda name=name: order.append(name) for name in "ab"}, rounds=3, device="cpu", shortest=0
    )
    assert "".join(order) == "ab" + "ab" + "ba" + "ab"
    assert {name: len(seconds) for name, seconds in found.items()} == {"a": 3, "b": 3}
    assert tables.ratio([2.0, 4.0, 9.0], [1.0, 4.0, 3.0]) == 2.0
    assert tables.spread([0.2, 0.1, 0.4]) == "200 ms (100…400)"


def test_what_is_counted_goes_into_the_inputs_too():
    found = measuring.counted(nn.Linear(3, 5, bias=False), torch.randn(1, 4, 3))
    assert found == {"operations": 3 * 2 * 4 * 3 * 5, "saved": 4 * 4 * 3}


def test_a_busy_machine_is_told_of():
    assert machine.warning_of(0.1) == ""
    assert machine.warning_of(1.5).startswith("The machine is busy: 1.50 processes a core")
    assert machine.machine("cpu").keys() == {"processor", "cores", "threads", "python", "torch", "device"}


def test_the_page_has_a_place_for_every_group():
    page = ROOT / "docs/performance.md"
    tables.check_page(page, command.USUAL["cpu"])
    tables.check_page(page, [name + command.ON_GPU for name in command.USUAL["cuda"]])


def test_every_group_has_a_process_of_its_own(monkeypatch, tmp_path, page):
    ran = []

    def run(words, check):
        ran.append(words[1:])
        return subprocess.CompletedProcess(words, returncode=3 * (words[3] == "counts"))

    monkeypatch.setattr(command.subprocess, "run", run)
    out = str(tmp_path / "found.json")
    with pytest.raises(SystemExit, match="3"):
        command.main(["attention", "counts", "--again", "--size", "tiny", "--out", out, "--page", str(page)])
    options = ["--again", "--size", "tiny", "--device", "cpu", "--rounds", "3", "--out", out, "--page", str(page)]
    assert ran == [["-m", "benchmarks", group, *options] for group in ("attention", "counts")]


@pytest.mark.slow
@pytest.mark.parametrize("group", command.USUAL["cuda"])
def test_what_a_gpu_is_asked_for_runs_on_the_cpu(group):
    """The first measurement of every group and its table, so that ten minutes on a card are not spent on a typo."""
    setting = Setting("tiny", "cpu", rounds=1, shortest=0.0)
    name, measure = next(iter(GROUPS[group][0](setting).items()))
    assert GROUPS[group][1]({name: measure()}).count("|") > 8


def test_clips_are_counted_with_the_share_of_waiting():
    from benchmarks.groups import throughput

    found = throughput.measured(Setting("tiny", "cpu", rounds=1), "features", size=1, workers=0)
    assert found["clips"] > 0
    assert 0 < found["waiting"] < 1


def test_films_are_decoded_and_their_clips_counted(monkeypatch):
    from benchmarks.groups import films

    monkeypatch.setattr(films, "WIDTH", 64)
    monkeypatch.setattr(films, "HEIGHT", 48)
    films.film_bytes.cache_clear()
    found = films.measured(Setting("tiny", "cpu", rounds=1), size=2, threads=1)
    films.film_bytes.cache_clear()
    assert found["clips"] > 0
    assert 0 < found["waiting"] < 1


def test_at_full_size_a_processor_is_given_no_batch_that_it_cannot_hold():
    from benchmarks.groups import throughput

    named = throughput.measurements(Setting("full", "cpu"))
    assert {"tiny, fit, 16 clips, 2 workers", "full, fit, 1 clips, 0 workers"} <= named.keys()
    assert "full, fit, 4 clips, 0 workers" not in named
    assert "full, fit, 16 clips, 2 workers" in throughput.measurements(Setting("full", "cuda"))


def test_products_by_torch_itself_are_those_of_that_step_alone(monkeypatch):
    from benchmarks.groups import steps

    seen = []
    monkeypatch.setenv(steps.VARIABLE, "onednn")
    steps.by_torch(lambda: seen.append(steps.os.environ[steps.VARIABLE]))
    assert [*seen, steps.os.environ[steps.VARIABLE]] == ["torch", "onednn"]


@pytest.mark.slow
def test_everything_runs_at_tiny_size(tmp_path):
    words = [sys.executable, "-m", "benchmarks", *GROUPS, "--size", "tiny", "--out", str(tmp_path / "found.json")]
    run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found = json.loads((tmp_path / "found.json").read_text())["measurements"]
    assert found.keys() == GROUPS.keys()
    assert all(of["apart"] < 1e-4 for of in found["encoders"].values())
    assert found["memory"]["`lite`"]["peak"] > found["memory"]["`lite`"]["before"] > 0


@pytest.mark.gpu
def test_everything_runs_on_a_gpu(tmp_path):
    command.main([*GROUPS, "--size", "tiny", "--device", "cuda", "--out", str(tmp_path / "found.json")])
    assert json.loads((tmp_path / "found.json").read_text())["measurements"].keys() == GROUPS.keys()

"""`crossmodal ave ablate`: options become rows, in their order; what cannot be meant is refused in words."""

import json
import shlex

import pytest
from commands import crossmodal

from crossmodal.evaluation.study import Study


def printed(folder, *words):
    """Row → the words of its options, of one seed."""
    said = crossmodal(folder, "ave", "ablate", "--seeds", "4", "--print-commands", "--runs", "r", *words)
    assert said.code == 0, said.err
    lines = [shlex.split(line.partition(" -m crossmodal ")[2]) for line in said.lines]
    rows = {}
    for line in lines:
        rows[line[line.index("--name") + 1].rsplit("-4-", 1)[0]] = line[2 : line.index("--seed")]
    return rows


def test_every_option_is_a_row_in_its_order(tmp_path):
    words = ["--guide", "self", "--without", "channel+spatial", "--edges", "audio:visual", "--freeze-map", "all"]
    words += ["--guide", "none", "--set", "latents=4 alpha=0.5", "--edges", "none", "--", "--data.clips", "8"]
    frozen = [
        w for name in ("channel", "spatial", "temporal") for w in (f"--model.{name}", "crossmodal.adapters.FrozenMap")
    ]
    assert printed(tmp_path, *words) == {
        name: ["--data.clips", "8", *options]
        for name, options in {
            "full": [],
            "guide-self": ["--model.guide", "crossmodal.adapters.own_stream"],
            "without-channel-spatial": ["--model.channel", "null", "--model.spatial", "null"],
            "only-audio-visual": ["--model.edges", '[["audio", "visual"]]'],
            "all-maps-at-0-5": frozen,
            "guide-none": ["--model.guide", "crossmodal.adapters.no_guide"],
            "latents-4-alpha-0-5": ["--model.latents", "4", "--model.alpha", "0.5"],
            "no-edge": ["--model.edges", "[]"],
        }.items()
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--without", "spatail"],
            "--without spatail: the system dg_sct has no keyword 'spatail'; did you mean 'spatial'?",
        ),
        (["--freeze-map", "frequency"], "the full system has no map 'frequency', only channel, spatial, temporal."),
        (
            ["--freeze-map", "temporal", "--", "--system", "dg_sct_released"],
            "no map 'temporal', only channel, spatial.",
        ),
        (["--without", "temporal", "--", "--system", "dg_sct_released"], "are the same model, trained alike"),
        (["--edges", "audio"], "--edges audio: an edge is guide:stream, as in audio:visual."),
        (["--set", "alpha 3"], "--set 'alpha 3': 'alpha' is not NAME=VALUE."),
        (["--guide", "shufled"], "ablation: 'guide: shufled'"),
        (["--without", "channel", "--without", "channel"], "'without channel' is asked for twice."),
        (
            ["--baseline", "without channel", "--without", "channel"],
            "ablate: --baseline 'without channel' is also the name of a variant: name it otherwise.",
        ),
        (
            ["--without", "edgse", "--", "--system", "lite"],
            "the system lite has no keyword 'edgse'; did you mean 'edges'?",
        ),
        (["--", "--name", "x"], "--name is given to every run by the ablation: leave it out."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_meant_is_refused(tmp_path, words, message):
    said = crossmodal(tmp_path, "ave", "ablate", "--print-commands", *words)
    assert (said.code, said.out) == (1, "")
    assert message in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def trained(monkeypatch):
    """Stands in for training and counting: seed 0 of every variant gets finished, or all of them fail."""
    monkeypatch.setattr(Study, "operations", lambda study, name: 10**9)

    def sweep(runs, folder, *, workers, cluster):
        for run in [run for run in runs if run.seed == 0]:
            (folder / run.name).mkdir(parents=True, exist_ok=True)
            facts = {"test": {"accuracy": 0.5}, "chance": {"accuracy": 0.25}, "trainable_parameters": 12}
            (folder / run.name / "summary.json").write_text(json.dumps(facts))
            (folder / run.name / "predictions.csv").write_text(
                "clip,truth,prediction,value,weight\na,red,red,1.0,1.0\n"
            )
        if failed := [run.name for run in runs if run.seed]:
            raise RuntimeError(f"{len(failed)} of {len(runs)} runs failed:")

    monkeypatch.setattr("crossmodal.evaluation.ablation.sweep", sweep)


def test_the_table_is_printed_and_written_in_all_forms(tmp_path, trained):
    said = crossmodal(tmp_path, "ave", "ablate", "--without", "spatial", "--baseline", "DG-SCT", "--seeds", "0")
    assert said.code == 0, said.err
    assert said.lines[0].split()[0] == "accuracy,"
    assert [line.split("  ")[0] for line in said.lines[1:3]] == ["DG-SCT", "without spatial"]
    written = sorted(file.name for file in (tmp_path / "runs/ablation").iterdir() if file.is_file())
    assert written == ["figure.svg", "table.csv", "table.md", "table.tex"]
    assert "runs/ablation/table.tex" in said.lines[-1]


def test_what_failed_is_named_and_what_did_not_is_shown(tmp_path, trained):
    said = crossmodal(tmp_path, "ave", "ablate", "--without", "spatial", "--seeds", "0", "1")
    assert said.code == 3
    assert "crossmodal: ablation: 2 of 4 runs failed:" in said.err
    assert "Not finished: full (seeds 1), without spatial (seeds 1)." in said.out


def test_with_no_worker_nothing_is_begun(tmp_path, trained):
    said = crossmodal(tmp_path, "ave", "ablate", "--workers", "0")
    assert said.code == 1
    assert "no run of 'full' in runs/ablation is finished" in said.err

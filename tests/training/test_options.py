"""Every keyword of a recipe is an option of the command line, and what a run stores builds the same model again."""

import inspect
from collections import Counter

import pytest
from commands import MINE

from crossmodal.cli.ave_options import SCHEDULES, TRAINER, options, parse
from crossmodal.cli.predict import build
from crossmodal.data.world import COLOURS
from crossmodal.tasks.resolve import OURS, resolve

G, A = "crossmodal.guidance", "crossmodal.adapters"
CASES = {
    "channel": [["--model.channel", "null"], ["--model.channel.reduction", "4"]],
    "spatial": [["--model.spatial", "mylab.TopK", "--model.spatial.k", "2"]],
    "frequency": [["--model.frequency", f"{G}.FrequencyGuidance", "--model.frequency.reduction", "4"]],
    "temporal": [["--model.temporal", "null"], ["--model.temporal", f"{G}.SegmentGuidance"]],
    "alpha": [["--model.alpha", "0.5"]],
    "beta": [["--model.beta", "0"]],
    "gamma": [["--model.gamma", "-0.1"]],
    "align": [["--model.align", "crossmodal.alignment.resampled_alignment"]],
    "latents": [["--model.latents", "4"], ["--model.latents", "crossmodal.attention.NoLatents"]],
    "bottleneck": [["--model.bottleneck.finish", f"{A}.GateThenNorm"], ["--model.bottleneck.reduction", "4"]],
    "adapter": [["--model.adapter", f"{A}.guided_adapter"]],
    "pairing": [["--model.pairing", "crossmodal.injection.paired_as_released"]],
    "edges": [["--model.edges", "[[audio, visual]]"]],
    "guide": [["--model.guide", f"{A}.own_stream"], ["--model.guide", f"{A}.no_guide"]],
}
OTHERS = [
    ["--recipe", "lavish"],
    ["--recipe", "dg_sct_released", "--model.alpha", "0.2"],
    ["--lockstep", "crossmodal.injection.recomputed"],
]


def described(model):
    """Everything that the options decide of a model: its modules with their numbers, and its schedule."""
    return repr(model.coupled.couplers), model.coupled.steps


def built(words):
    parser, given = parse(words)
    return parser, given, build(parser.instantiate(given), COLOURS[:6])


@pytest.fixture(scope="module")
def default():
    return described(built([])[2])


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    (tmp_path / "mylab.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)


def test_no_keyword_escapes():
    parameters = inspect.signature(resolve("dg_sct")).parameters.values()
    assert set(CASES) == {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}


@pytest.mark.parametrize("words", [words for cases in CASES.values() for words in cases] + OTHERS, ids=" ".join)
def test_an_option_reaches_the_model_and_a_stored_one_builds_it_again(words, default, tmp_path):
    parser, given, model = built(words)
    assert described(model) != default
    (tmp_path / "config.yaml").write_text(parser.dump(given, skip_unset=False))
    assert described(built(["--config", str(tmp_path / "config.yaml")])[2]) == described(model)


def test_a_class_of_ones_own_sits_in_every_adapter():
    _, _, model = built(["--model.spatial", "mylab.TopK", "--model.spatial.k", "2"])
    found = Counter(type(module).__name__ for module in model.modules())
    assert found["TopK"] == found["ChannelGuidance"] > 0
    assert found["SpatialGuidance"] == 0
    assert {module.k for module in model.modules() if type(module).__name__ == "TopK"} == {2}


@pytest.mark.parametrize("size", SCHEDULES)
def test_a_size_brings_its_own_schedule(size):
    _, given = parse(["--size", size])
    expected = {**SCHEDULES[size], **{f"trainer.{name}": value for name, value in TRAINER.items()}}
    assert {name: given[name] for name in expected} == expected


def test_what_is_said_on_the_command_line_wins_over_the_file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("recipe: dg_sct_released\nmodel:\n  alpha: 0.2\n  beta: 0.1\noptim:\n  lr: 0.01\n")
    _, given = parse(["--config", str(file), "--model.alpha", "0.4"])
    assert (given.recipe, given.model.alpha, given.model.beta, given.optim.lr) == ("dg_sct_released", 0.4, 0.1, 0.01)


def test_every_name_of_ours_is_a_function():
    assert all(callable(resolve(name)) for name in OURS)
    assert resolve("crossmodal.recipes.lavish.lavish_shared").__name__ == "lavish_shared"


def test_help_lists_the_options():
    text = options("dg_sct").format_help()
    for name in ("--model.spatial", "--data.root", "--optim.lr", "--trainer.max_epochs", "--resume", "--print_config"):
        assert name in text

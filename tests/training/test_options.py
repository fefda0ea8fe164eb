"""Every keyword of a recipe is an option of the command line, and what a run stores builds the same model again."""

import inspect
from collections import Counter

import pytest
from commands import MINE
from systems import parsed

from crossmodal.data.world import COLOURS
from crossmodal.evaluation.step_cost import described_cost
from crossmodal.recipes.ave import dg_sct as ave_dg_sct
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.sharing import SystemOptions, build_system
from crossmodal.tasks import ave, classify
from crossmodal.tasks.names import system_names
from crossmodal.tasks.resolve import find_function, find_system, system_module
from crossmodal.training.choice import chosen
from crossmodal.training.options import TRAINER, find_coupling, keyword_names, model_values, options, parse
from crossmodal.training.run import build

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
    "order": [["--model.order", f"{A}.GuidedAdapter"]],
    "adapter": [["--model.adapter", f"{A}.guided_adapter"]],
    "pairing": [["--model.pairing", "crossmodal.injection.paired_as_released"]],
    "edges": [["--model.edges", "[[audio, visual]]"]],
    "guide": [["--model.guide", f"{A}.own_stream"], ["--model.guide", f"{A}.no_guide"]],
}
OTHERS = [
    ["--system", "lavish"],
    ["--system", "dg_sct_released", "--model.alpha", "0.2"],
    ["--model.coupling", "lavish"],
    ["--lockstep", "crossmodal.injection.recomputed"],
]


def described(model):
    """Everything that the options decide of a model: its modules with their numbers, its schedule, how it is run."""
    return repr(model.coupled.couplers), model.coupled.steps, [type(mode) for mode in model.coupled.execution]


def built(words):
    parser, given = parsed(*words)
    return parser, given, build(parser.instantiate(given), COLOURS[:6], ave.TASK)


@pytest.fixture(scope="module")
def default():
    return described(built([])[2])


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    (tmp_path / "mylab.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)


def test_no_keyword_escapes():
    parameters = inspect.signature(dg_sct).parameters.values()
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


def test_tiny_encoders_are_trained_quickly_and_others_as_published():
    for words, settings in (
        ([], ave.TASK.quick),
        (["--model.visual", "swin_v2_l", "--model.audio", "htsat"], ave_dg_sct.SETTINGS),
    ):
        _, given = parsed(*words)
        expected = {**settings.options(), **{f"trainer.{name}": value for name, value in TRAINER.items()}}
        assert {name: given[name] for name in expected} == expected


def test_on_tiny_encoders_a_system_may_keep_its_published_rate():
    found = {name: getattr(system_module(name, "ave"), "QUICK", None) for name in system_names("ave")}
    own = {name: quick for name, quick in found.items() if quick}
    assert {"avel", "avsdn_weak", "cman", "cmran", "cmbs", "dam"} <= own.keys()
    for name in own:
        assert parsed("--system", name)[1].optim.lr == system_module(name, "ave").SETTINGS.optim["lr"]
        assert parsed("--system", name)[1].trainer.max_epochs == ave.TASK.quick.trainer["max_epochs"]
    assert parsed("--system", "dg_sct")[1].optim.lr == ave.TASK.quick.optim["lr"]


def test_what_is_said_on_the_command_line_wins_over_the_file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("system: dg_sct_released\nmodel:\n  alpha: 0.2\n  beta: 0.1\noptim:\n  lr: 0.01\n")
    _, given = parsed("--config", str(file), "--model.alpha", "0.4")
    assert (given.system, given.model.alpha, given.model.beta, given.optim.lr) == ("dg_sct_released", 0.4, 0.1, 0.01)


UNTYPED = """
from torch import nn


class Loud(nn.Module):
    def __init__(self, channels, cue_channels, *, k: int = 4):
        super().__init__()
        self.k = k

    def forward(self, stream, cue):
        return stream.norm(dim=-1, keepdim=True).sigmoid()
"""


def test_a_component_without_type_hints_is_read_from_words_from_a_file_and_in_python(tmp_path, monkeypatch):
    (tmp_path / "untyped.py").write_text(UNTYPED)
    monkeypatch.syspath_prepend(tmp_path)
    parser, given = parsed("--model.spatial", "untyped.Loud", "--model.spatial.k", "2")
    (tmp_path / "config.yaml").write_text(parser.dump(given, skip_unset=False))
    parser, again = parsed("--config", str(tmp_path / "config.yaml"))
    assert again.model.spatial == given.model.spatial
    loud = {"class_path": "untyped.Loud", "init_args": {"k": 2}}
    system = build_system(SystemOptions("ave", "dg_sct", {"spatial": loud}), ["dog"])
    assert {module.k for module in system.modules() if type(module).__name__ == "Loud"} == {2}


def test_what_a_component_without_type_hints_needs_must_be_given(tmp_path, monkeypatch, capsys):
    (tmp_path / "stopping.py").write_text(
        "from pytorch_lightning import Callback\nclass Stop(Callback):\n    def __init__(self, patience):\n"
        "        self.patience = patience\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    _, given = parsed("--trainer.callbacks+=stopping.Stop", "--trainer.callbacks.patience=3")
    assert given.trainer.callbacks[0].init_args.patience == 3
    with pytest.raises(SystemExit):
        parsed("--trainer.callbacks+=stopping.Stop")
    assert "patience" in capsys.readouterr().err


BIG = "visual: swin_v2_l\naudio: htsat\n"


@pytest.mark.parametrize(
    "words",
    [
        ["--model", "big.yaml"],
        ["--model", "{visual: swin_v2_l, audio: htsat}"],
        ["--config", "names_it.yaml"],
        ["--config", "holds_it.yaml"],
        ["--config", "holds_it.yaml", "--config", "longer.yaml"],
        ["--config=longer.yaml", "--model.visual=swin_v2_l", "--config=preset.yaml", "--model.audio=htsat"],
        ["--training", "", "--config", "preset.yaml", "--config", "holds_it.yaml"],
    ],
    ids=" ".join,
)
def test_however_encoders_and_settings_are_named_they_are_trained_as_published(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "big": BIG,
        "names_it": "model: big.yaml\n",
        "holds_it": "model:\n  visual: swin_v2_l\n  audio: htsat\n",
        "longer": "trainer:\n  max_epochs: 9\n",
        "preset": "training: released_training\n",
    }.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    _, given = parsed(*words)
    assert (given.optim.lr, given.optim.decay) == tuple(ave_dg_sct.SETTINGS.optim[name] for name in ("lr", "decay"))
    assert given.trainer.max_epochs == (9 if any("longer" in word for word in words) else 50)
    assert (given.training == "released_training") == ("--config=preset.yaml" in words)


def test_a_group_of_data_in_a_file_of_its_own_chooses_the_source_and_names_come_from_the_command_line(tmp_path):
    (tmp_path / "data.yaml").write_text("root: AVE\n")
    assert str(parsed("--data", str(tmp_path / "data.yaml"))[1].data.root) == "AVE"
    (tmp_path / "run.yaml").write_text("name: first\nruns: elsewhere\nsystem: lavish\n")
    (tmp_path / "more.yaml").write_text("trainer:\n  max_epochs: 9\n")
    files = [f"--config={tmp_path / name}.yaml" for name in ("run", "more")]
    _, given = parsed("--name", "second", *files)
    assert (given.name, str(given.runs), given.system, given.trainer.max_epochs) == ("second", "elsewhere", "lavish", 9)


@pytest.mark.parametrize("task", [ave.TASK, classify.TASK], ids=lambda task: task.name)
def test_every_recipe_file_of_a_task_is_a_system_with_settings_and_options(task):
    assert "dg_sct" in system_names(task.name)
    for name in system_names(task.name):
        _, given = parse(["--system", name], task)
        assert set(vars(given.model)) - {"coupling"} == {*keyword_names(find_system(name, task.name))}


def test_a_data_source_is_chosen_by_what_it_requires():
    for words, source in (
        ([], "WorldSource"),
        (["--data.root", "AVE"], "AVESource"),
    ):
        parser, given = parsed(*words)
        assert type(parser.instantiate(given).data).__name__ == source
    _, given = parsed("--data.folder", "videos", "--data.labels", "labels.csv")
    assert (str(given.data.folder), given.data.segments) == ("videos", 10)


def test_encoders_of_other_libraries_ask_for_the_system_that_takes_any():
    _, given = parsed("--model.visual", "timm:vit_tiny_patch16_224")
    assert (given.system, given.model.pairing.__name__) == ("any_pair", "paired_by_depth")


def test_names_that_are_none_come_with_their_neighbours():
    with pytest.raises(ValueError, match=r"crossmodal ave has no system 'dg_sst': did you mean 'dg_sct'\?"):
        find_system("dg_sst", "ave")
    with pytest.raises(ValueError, match=r"'lavisch' is no function here: did you mean 'lavish'\?"):
        find_coupling("lavisch")
    assert find_function("crossmodal.recipes.lavish.lavish_shared").__name__ == "lavish_shared"


def test_a_file_of_ones_own_is_a_system(tmp_path):
    (tmp_path / "mysystem.py").write_text("from systems import tiny\n\nmysystem = tiny\n")
    assert find_system("mysystem", "ave") is find_system("mysystem.mysystem", "ave")
    with pytest.raises(ValueError, match=r"'mysystem.other'.*A module of your own is given by its path"):
        find_system("mysystem.other", "ave")


def test_a_system_without_keywords_or_encoders_is_built_and_counted(tmp_path):
    (tmp_path / "plainsystem.py").write_text(
        "from torch import nn\n\nfrom crossmodal.data.world import TINY\nfrom crossmodal.tasks.task import Clips\n\n\n"
        "class Plain(nn.Linear):\n"
        "    def forward(self, batch):\n        return super().forward(batch.wave.abs().mean(-1, keepdim=True))\n\n"
        "    def loss(self, outputs, batch):\n        return {'mean': outputs.mean()}\n\n\n"
        "def plainsystem(*, classes):\n    made = Plain(1, len(classes) + 1)\n"
        "    made.classes, made.inputs = classes, Clips(TINY)\n    return made\n"
    )
    words = ["--system", "plainsystem"]
    parser, given, system = built(words)
    assert model_values(parser.instantiate(given)) == {}
    assert system.out_features == 7
    assert described_cost(words, ave.TASK).cost.total.parameters == 14


def test_help_lists_the_options():
    text = options(ave.TASK, chosen([], ave.TASK)).format_help()
    for name in ("--model.spatial", "--data.clips", "--optim.lr", "--trainer.max_epochs", "--resume", "--print_config"):
        assert name in text
    assert "--data.root" in text  # another source, in the description
    assert "Width of the heads" in text  # jsonargparse reads the Google-style docstring

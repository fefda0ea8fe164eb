"""Wrong command lines: one sentence that names option, value and what is allowed, on stderr, with exit code 2."""

import pytest
from commands import crossmodal
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.option_parser import OptionParser, nearest_option
from crossmodal.training.options import parse

KNOWN = ["--seed", "--data.batch_size", "--data.clips", "--trainer.max_epochs", "--print-commands", "-h"]


def refused(parser, words, capsys):
    """The sentence for a command line, which is all that is printed."""
    with pytest.raises(SystemExit) as left:
        parser.parse_args(words)
    said = capsys.readouterr()
    assert (left.value.code, said.out, said.err.count("\n")) == (2, "", 1)
    return said.err.removeprefix(f"{parser.prog}: ").strip()


@pytest.fixture
def parser():
    made = OptionParser(prog="crossmodal ave look", allow_abbrev=False)
    made.add_argument("clip", help="a video file.")
    made.add_argument("words", nargs="*")
    made.add_argument("--seeds", type=int, nargs="+")
    made.add_argument("--form", choices=["table", "markdown"])
    made.dotted = "options of fit stand behind --"
    return made


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "clip must be given (a video file): `crossmodal ave look --help` lists all."),
        (["a", "--sede", "1"], "there is no option --sede; did you mean --seeds?"),
        (["a", "--xyz"], "there is no option --xyz: `crossmodal ave look --help` lists all."),
        (["a", "--data.clips=1"], "there is no option --data.clips: options of fit stand behind --."),
        (["a", "--seeds", "1.5"], "--seeds 1.5 must be an integer."),
        (["a", "--seeds"], "--seeds needs a value: expected at least one argument."),
        (["a", "--form", "tabel"], "--form tabel must be one of table, markdown (did you mean table?)."),
    ],
)
def test_a_wrong_option_of_a_verb_is_one_sentence(parser, words, sentence, capsys):
    assert refused(parser, words, capsys) == sentence


@given(st.sampled_from(KNOWN[:5]), st.data())
def test_an_option_with_a_letter_too_few_is_found(option, data):
    at = data.draw(st.integers(3, len(option) - 2))
    assert nearest_option(option[:at] + option[at + 1 :], KNOWN) == option


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("--batch-size", "--data.batch_size"),
        ("--max_epochs", "--trainer.max_epochs"),
        ("--print_commands", "--print-commands"),
        ("--zzz", ""),
    ],
)
def test_a_group_or_a_dash_forgotten_is_found(asked, meant):
    assert nearest_option(asked, KNOWN) == meant


FIT = {
    "--data.folders x": "there is no option --data.folders; did you mean --data.folder? It is of the data source",
    "--data.wave_rate 1": "--data.wave_rate is of the data source ave (--data.root …).",
    "--data.folder x": "--data.labels must be given (CSV with the columns",
    "--trainer.max_epochs x": "--trainer.max_epochs x must be an integer or null.",
    "--resume maybe": "--resume maybe must be true or false.",
    "--model.spatial crossmodal.SpatialGuidanc": "has no attribute 'SpatialGuidanc'; its floors are",
    "--model.spatial.k 8": "--model.spatial.k 8 cannot be used: crossmodal.SpatialGuidance takes no 'k'.",
    "--model.pool.x 3": "--model.pool",
    "extra": "'extra' is one word too many",
}


def test_a_wrong_option_of_fit_is_one_sentence(tmp_path):
    """65 lines of usage before: every option of the trainer, and the error behind them."""
    for words, sentence in FIT.items():
        said = crossmodal(tmp_path, "ave", "fit", *words.split())
        assert (said.code, said.out, len(said.err.splitlines())) == (2, "", 1), said.err
        assert said.err.startswith("crossmodal ave fit: ")
        assert sentence in said.err


def test_the_help_of_fit_lists_the_options_of_every_source():
    from crossmodal.tasks.ave import TASK

    said = parse([], TASK)[0].format_help()
    for option in ("data.clips", "data.folder", "data.labels", "data.root", "data.wave_rate", "data.features"):
        assert said.count(f"\n  --{option} ") == 1
    assert "the data source folder (--data.folder … --data.labels …) also takes:" in said
    assert "known subclasses" not in said

"""What a map is worth where it matters, over five seeds: `python -m crossmodal.recipes.world.map_ablation second`.

The worlds of `--data.answer second` and `band`, each with settings in which its map can be learned; the map is left
out. This is `crossmodal ave ablate` with fixed rows; its other options may follow.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from crossmodal.cli.ablate import ablate
from crossmodal.cli.study_options import add_study_options
from crossmodal.option_parser import OptionParser
from crossmodal.tasks.ave import TASK

SCHEDULE = (
    *("--data.held_out", "200", "--trainer.max_epochs", "1", "--trainer.gradient_clip_val", "5"),
    *("--optim.schedule", "crossmodal.training.schedules.one_cycle"),
    # heads read each second by itself, so that only maps can tell one second from another
    *("--model.time_attention", "crossmodal.heads.SegmentProjection"),
)
MEAN = "crossmodal.heads.MeanPooling"


class MapWorld(NamedTuple):
    """A world in which one map matters.

    Attributes:
        rows: Options of `ablate` that make the rows.
        options: Options of `fit` for all rows, beside `SCHEDULE`.
    """

    rows: tuple[str, ...]
    options: tuple[str, ...]


WORLDS: Mapping[str, MapWorld] = {
    "second": MapWorld(
        ("--without", "temporal"),
        (
            *("--data.answer", "second", "--data.clips", "2000", "--model.gamma", "1", "--model.pool", MEAN),
            *("--model.temporal", "crossmodal.guidance.ClipGuidance", "--model.temporal.norm", "torch.nn.LayerNorm"),
            *("--model.bottleneck", "crossmodal.adapters.Bottleneck"),
            *(
                "--model.bottleneck.finish",
                "crossmodal.adapters.NormThenGate",
                "--model.bottleneck.finish.start",
                "0.3",
            ),
        ),
    ),
    "band": MapWorld(
        ("--without", "frequency", "--without", "spatial+frequency"),
        (
            *("--data.answer", "band", "--data.clips", "1000", "--model.beta", "1"),
            *("--model.frequency", "crossmodal.guidance.FrequencyGuidance"),
            # nothing else reads the guide: latent tokens, or a map of channels, can tell the bands apart, too
            *("--model.channel", "null", "--model.temporal", "null", "--model.latents", "0"),
        ),
    ),
}
"""Word → world. Gates start open, and the cue of seconds is normed: what a map in an adapter has in its way."""


def options_of_world(world: str, more: Sequence[str] = ()) -> list[str]:
    """Returns the options of `crossmodal ave ablate` for a world.

    Args:
        world: A key of `WORLDS`.
        more: Further options of `ablate`, such as `--workers 2`.
    """
    made = WORLDS[world]
    return [*made.rows, "--runs", f"runs/map_ablation_{world}", *more, "--", *SCHEDULE, *made.options]


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains the rows of a world and prints their table; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = OptionParser(prog=f"python -m {__spec__.name}", description=__doc__, allow_abbrev=False)
    worlds = parser.add_subparsers(dest="world", required=True)
    for world in WORLDS:
        add_study_options(worlds.add_parser(world), f"runs/map_ablation_{world}")
    given = parser.parse_args(words)
    return ablate(options_of_world(given.world, words[1:]), TASK)


if __name__ == "__main__":
    sys.exit(main())

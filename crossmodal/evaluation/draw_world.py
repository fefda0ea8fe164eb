"""Draws a clip of the built-in world: `python -m crossmodal.evaluation.draw_world docs/blocks/world.png`."""

from pathlib import Path

import numpy as np

from crossmodal.data.world import World
from crossmodal.drawing.canvas import new_figure, write_figure
from crossmodal.option_parser import OptionParser


def draw_world(world: World, index: int, path: Path) -> None:
    """Draws frames, the outline of the sounding object, spectrogram and event of one clip, second by second.

    Args:
        world: One split of the world.
        index: Clip to draw.
        path: Picture to write, `.png` or `.svg`.
    """
    images, wave, truth = world.render(index)
    events = (*world.classes, "background")
    figure = new_figure(15, 3.6)
    figure.set_layout_engine("constrained")
    rows = figure.subplots(2, len(images), gridspec_kw={"height_ratios": (1.6, 1)})
    for second, (above, below) in enumerate(rows.T):
        above.imshow(images[second].transpose(1, 2, 0))
        if truth.event_mask[second].any():
            above.contour(truth.event_mask[second], levels=[0.5], colors="white", linewidths=1.5)
        above.set_title(events[truth.labels[second]], fontsize=10)
        below.specgram(wave[second], NFFT=512, noverlap=384, Fs=world.preprocess.rate, vmin=-120, vmax=-30)
        heard = [world.texture_names[texture] for texture in np.flatnonzero(truth.audible[second])]
        below.set_xlabel(" + ".join(heard) or "silence", fontsize=9)
    for axes in rows.flat:
        axes.set_xticks([])
        axes.set_yticks([])
    write_figure(path, figure, dpi=80)


def main(arguments: list[str] | None = None) -> None:
    """Draws the clip that the command line asks for."""
    parser = OptionParser(prog="python -m crossmodal.evaluation.draw_world", description=__doc__)
    parser.add_argument("path", type=Path, help="the picture to write, .png or .svg")
    parser.add_argument("--index", type=int, default=179, help="the clip; default %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of the world; default %(default)s")
    options = parser.parse_args(arguments)
    draw_world(World("train", clips=options.index + 1, seed=options.seed), options.index, options.path)


if __name__ == "__main__":
    main()

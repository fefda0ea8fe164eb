"""`crossmodal ave look`: the maps of a run, what its guides change, and whether both point at what sounds."""

import argparse
import csv
import io
from collections.abc import Sequence
from pathlib import Path

import torch

from crossmodal.cli.predict import load_run
from crossmodal.data import World
from crossmodal.data.ave import SPLITS
from crossmodal.data.extras import need
from crossmodal.data.many_videos.video_folder import int_at_least
from crossmodal.evaluation.pointing import ANY, SOUNDING, Pointed, Seconds, mean_scores, points, seconds, table
from crossmodal.evaluation.report.look_picture import look_picture, write_figure
from crossmodal.io import write_whole
from crossmodal.recipes.ave.dg_sct import AudioVisualEvents
from crossmodal.training.data_module import Clips
from crossmodal.training.run_folder import asks_for_run, find_run

ABOUT = """Draws some clips of a run: frames, the last map of either stream, how far each token moves when its guide is
taken away, and the score of the true label with and without. On the built-in world, which knows where the sounding
object is, maps and counterfactuals play the pointing game, with chance beside it. Writes looking/ in the run's folder:
one PNG a clip, pointing.csv and scores.csv."""

FOLDER = "looking"


def look(argv: Sequence[str]) -> None:
    """Prints how often maps and counterfactuals point at the sounding object, and draws some clips."""
    given = options().parse_args(list(argv))
    for module in ("matplotlib", "tqdm"):
        need(module, "crossmodal ave look")
    run = find_run(given.runs, given.at or given.run)
    model, trained = load_run(run)
    model.to(given.device)
    trained.data.preprocess = model.preprocess
    trained.data.ready()
    clips = trained.data.split(given.split)
    out = given.out or run / FOLDER
    out.mkdir(parents=True, exist_ok=True)
    if isinstance(clips, World):
        looked_at = min(given.clips, len(clips))
        print(f"ave look: {looked_at} clips of the {given.split} split of the built-in world, by {run}", flush=True)
        tell(model, out, collected(model, clips, looked_at))
    else:
        print(f"ave look: where things are is known of the built-in world alone; {given.figures} clips are drawn")
    for index in spread(len(clips), given.figures):
        draw(model, clips, index, out)
    print(f"written to {out}/")


def options() -> argparse.ArgumentParser:
    """The parser of `look`."""
    parser = argparse.ArgumentParser(prog="crossmodal ave look", description=ABOUT)
    add = parser.add_argument
    add("at", type=Path, nargs="?", metavar="RUN", help="folder of the run; the same as --run")
    asks_for_run(parser)
    add("--split", choices=SPLITS, default="test", help="whose clips (default: test)")
    add("--clips", type=int_at_least(1), default=100, help="clips of the built-in world that are scored (default: 100)")
    add("--figures", type=int_at_least(0), default=3, help="clips that are drawn, evenly spaced (default: 3)")
    add("--out", type=Path, help="folder to write to (default: looking/ in the run's folder)")
    add("--device", default="cpu", help="where the model runs (default: cpu)")
    return parser


def draw(model: AudioVisualEvents, clips: Clips, index: int, out: Path) -> None:
    """Writes the picture of one clip, or says why it cannot be drawn: a placebo, say, needs another clip beside it."""
    outlines = torch.from_numpy(clips.truth(index).event_mask) if isinstance(clips, World) else None
    file = out / f"{clips.names[index].replace('/', '_')}.png"
    try:
        write_figure(file, look_picture(model, clips[index], outlines))
    except ValueError as error:
        print(f"{file} was not drawn: {error}")


def collected(model: AudioVisualEvents, world: World, clips: int) -> list[Seconds]:
    """Looks at the first `clips` clips, under a bar."""
    from tqdm import tqdm

    found = []
    with tqdm(total=clips, unit="clip", desc="looking") as bar:
        for batch in seconds(model, world, range(clips)):
            found.append(batch)
            bar.update(len(batch.clips.unique()))
    return found


def tell(model: AudioVisualEvents, out: Path, found: Sequence[Seconds]) -> None:
    """Prints and writes the pointing game and the scores."""
    rows = points(model, found)
    shown = sum(int(batch.sounding.flatten(1).any(1).sum()) for batch in found)
    print(f"{shown} seconds in which a visible object sounds")
    for target in (SOUNDING, ANY) if rows else ():
        print(f"\n{table(rows, target)}")
    print("\nprobability of the true class, mean over these seconds")
    for name, mean in mean_scores(found).items():
        print(f"{name:<26} {mean:.3f}")
    write_whole(out / "pointing.csv", pointing_csv(rows))
    write_whole(out / "scores.csv", scores_csv(found, (*model.classes, "background")))


def pointing_csv(rows: Sequence[Pointed]) -> str:
    """A row a coupler, thing looked at and target."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(["coupler", "rows", "columns", "what", "target", "accuracy", "chance"])
    for row in rows:
        scores = [f"{score.item():.6f}" for score in row.scores]
        writer.writerow([row.coupler, *row.cells, row.what, row.target, *scores])
    return written.getvalue()


def scores_csv(found: Sequence[Seconds], labels: Sequence[str]) -> str:
    """A row a second: its true label, and the probability of it with all guides and without some."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    names = list(found[0].looked.scores)
    writer.writerow(["clip", "segment", "truth", *names])
    for batch in found:
        true = [batch.looked.scores[name].cpu().gather(1, batch.labels[:, None])[:, 0].tolist() for name in names]
        length = len(batch.clips) // len(batch.clips.unique())
        for at, (clip, label) in enumerate(zip(batch.clips.tolist(), batch.labels.tolist(), strict=True)):
            writer.writerow([clip, at % length, labels[label], *(f"{of[at]:.6f}" for of in true)])
    return written.getvalue()


def spread(clips: int, count: int) -> list[int]:
    """So many clips, evenly spaced."""
    count = min(count, clips)
    return [round(at * (clips - 1) / max(1, count - 1)) for at in range(count)]

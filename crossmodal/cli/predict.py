"""`crossmodal TASK predict`: what a run says of a video file, window by window, with a page of pictures."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from crossmodal.data import Clip
from crossmodal.data.film_windows import film_windows
from crossmodal.evaluation.report.film_page import DRAWN, PAGES, Window, write_film
from crossmodal.evaluation.report.report import write_page
from crossmodal.option_parser import OptionParser
from crossmodal.tasks.feature_inputs import extract_features
from crossmodal.tasks.task import Features, SystemModule, Task, WritesFiles
from crossmodal.training.run import load_run
from crossmodal.training.run_folder import add_run_options, find_run


def predict(argv: Sequence[str], task: Task) -> None:
    """Prints what a run says of a video file, and draws it on a page."""
    given = options(task).parse_args(list(argv))
    run = find_run(given.runs, given.run, task.name)
    system, arguments = load_run(run, task)
    if given.classes:
        use_classes(system, given.classes, run)
    seconds = arguments.data.window or getattr(arguments.data, "segments", task.segments)
    found: list[Window] = []
    for clip in film_windows(given.clip, system.inputs.preprocess, seconds):
        with torch.inference_mode():
            batch = task.ask(clip, given.words, system.classes)
            if isinstance(system.inputs, Features):
                batch = extract_features(batch, system.inputs)
            predicted = system.predict(system(batch))
        kept = len(found) < DRAWN or given.files
        found.append(Window(clip if kept else without_content(clip), predicted))
    known = f" (it knows {len(system.classes)} labels)" if system.classes else ""
    print(f"{given.clip}, by {run}{known}")
    for line in task.tell(found, system.classes):
        print(line)
    if given.files and isinstance(task, WritesFiles):
        print(f"written            {task.write_files(given.files, given.clip, found)}")
    page = given.out or run / PAGES / f"{given.clip.stem}.html"
    if write_page(page, partial(write_film, page, system, task, given.clip, run, found), needed=given.out is not None):
        print(f"written to         {page}")


def use_classes(system: SystemModule, classes: str, run: Path) -> None:
    """Makes a system look for other classes than those it was trained on, given as names separated by commas.

    Raises:
        ValueError: If there is no name, or the system knows the classes of its training alone.
    """
    names = [name.strip() for name in classes.split(",") if name.strip()]
    use = getattr(system, "use_classes", None)
    if not names or use is None:
        why = f"it knows its {len(system.classes)} labels alone" if names else "no name is given"
        raise ValueError(
            f"predict: --classes {classes!r} does not fit {run}: {why}. Give names separated by commas, to a run of a "
            "system that matches names, such as those of few_shot and zero_shot."
        )
    use(names)


def without_content(clip: Clip) -> Clip:
    """Returns zeros of a clip's shape that take no memory: of a window that is not drawn, its length is read alone."""
    return Clip(*(part.new_zeros(()).expand(part.shape) for part in clip))


def options(task: Task) -> OptionParser:
    """Returns the parser of `predict`."""
    about = "Prints what a run says of a video file, and draws it on a page."
    parser = OptionParser(prog=f"crossmodal {task.name} predict", description=about)
    parser.add_argument("clip", type=Path, help="a video file with sound")
    parser.add_argument("words", nargs="*", help="what else the task asks for, such as questions")
    parser.add_argument("--classes", help="names separated by commas, in place of those of the training, where it can")
    add_run_options(parser)
    page = "the page to write (default: predictions/CLIP.html in the run's folder)"
    parser.add_argument("--out", type=Path, help=page)
    parser.set_defaults(files=None)
    if isinstance(task, WritesFiles):
        parser.add_argument(f"--{task.files}", dest="files", type=Path, help=f"folder that gets the {task.files}, too")
    return parser

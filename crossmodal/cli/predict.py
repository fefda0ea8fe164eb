"""`crossmodal TASK predict`: what a run says of video files, window by window: in words, as tables, with pages."""

import argparse
import hashlib
import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from crossmodal.data.decoding import decoder_versions
from crossmodal.data.extras import need
from crossmodal.data.many_videos.video_folder import (
    SOME_FAILED,
    check_utf8_name,
    failure,
    int_at_least,
    video_files,
    write_failed,
)
from crossmodal.data.same_text import listed_names, printable
from crossmodal.data.stamps import file_stamp, short_digest
from crossmodal.encoders.by_name import MotionFeatures, motion_features
from crossmodal.evaluation.film_records import FilmRecord, film_record, read_record, write_record, write_table
from crossmodal.evaluation.films import FilmReader, Window
from crossmodal.evaluation.report.film_page import DRAWN, PAGES, write_film
from crossmodal.evaluation.report.report import write_page
from crossmodal.io import folder_lock, make_folder
from crossmodal.option_parser import OptionParser
from crossmodal.tasks.pictures import with_pictures
from crossmodal.tasks.task import Features, SystemModule, Task, WritesFiles
from crossmodal.training.run import load_run
from crossmodal.training.run_folder import ADAPTERS, add_run_options, find_run, versions

from .check_device import check_device

TABLE = "predictions.csv"


class Asked(NamedTuple):
    """What one command asks for.

    Attributes:
        given: Its options.
        task: The task.
        run: Folder of the run.
        reader: What reads the films.
        stamp: Of all that predictions depend on, but the film.
    """

    given: argparse.Namespace
    task: Task
    run: Path
    reader: FilmReader
    stamp: str

    @property
    def classes(self) -> Sequence[str]:
        """Returns the label vocabulary of the system."""
        return self.reader.system.classes

    def made_from(self, film: Path) -> str:
        """Returns what changes where the predictions for a film may be others."""
        return short_digest(f"{self.stamp} {file_stamp(film)}")

    def is_done(self, folder: Path, film: Path, record: FilmRecord) -> bool:
        """Returns whether a record is of this film as it is, and its page is there where one is wanted."""
        drawn = self.given.no_pages or (folder / f"{film.stem}.html").exists()
        # whether masks are there, nobody knows
        return drawn and not self.given.files and record.made_from == self.made_from(film)

    def record(self, film: Path, windows: Sequence[Window]) -> FilmRecord:
        """Returns the record of a film."""
        by = {"run": str(self.run), "task": self.task.name, **versions()}
        seconds = sum(len(window.clip.frames) for window in windows)
        return film_record(film, by, self.made_from(film), seconds, self.task.tell(windows, self.classes))

    def write_files(self, film: Path, windows: Sequence[Window]) -> str:
        """Writes the predictions of a film as files, if any are wanted; returns what was written."""
        if not self.given.files or not isinstance(self.task, WritesFiles):
            return ""
        shown = [(with_pictures(clip, self.reader.system), prediction) for clip, prediction in windows]
        return self.task.write_files(self.given.files, film, shown)

    def write_page(self, page: Path, film: Path, windows: Sequence[Window]) -> bool:
        """Writes the page of a film, unless none is wanted; returns whether it was written."""
        system = self.reader.system
        return not self.given.no_pages and write_page(
            page,
            partial(write_film, page, system, self.task, film, self.run, windows),
            needed=self.given.out is not None,
        )


def predict(argv: Sequence[str], task: Task) -> int:
    """Prints or writes what a run says of video files; returns 0, or 3 where some of several failed."""
    given = options(task).parse_args(list(argv))
    check_device(given.device, f"{task.name} predict")
    films, words, others = named_films([given.clip, *given.words])
    several = given.clip.is_dir() or len(films) > 1
    check_out(None if several else given.out)
    run = find_run(given.runs, given.run, task.name)
    system, arguments = load_run(run, task)
    if given.classes:
        use_classes(system, given.classes, run)
    motion = None if given.motion is None else motion_of(system, given.motion, run).to(given.device)
    system = on_device(system, given.device)
    seconds = arguments.data.window or getattr(arguments.data, "segments", task.segments)
    kept = None if given.files else 0 if given.no_pages else DRAWN
    threads = min(given.workers, len(films)) if len(films) > 1 else 0
    reader = FilmReader(task, system, words, seconds, given.batch_size, threads, kept, motion)
    asked = Asked(given, task, run, reader, _stamp(run, words, given, seconds))
    known = f" (it knows {len(system.classes)} labels)" if system.classes else ""
    if several:
        return _many(asked, films, others, known)
    return _one(asked, films[0], known)


def named_films(given: Sequence[Path | str]) -> tuple[list[Path], list[str], list[str]]:
    """Returns the films that the words of a command name, the words behind them, and what lies beside films.

    Args:
        given: A file or a folder, further ones, and behind them what else the task asks for.

    Raises:
        FileNotFoundError: If a folder is none.
        ValueError: If a folder holds no film, or two films share a stem, by which results are named.
    """
    films: list[Path] = []
    others: list[str] = []
    words = [str(word) for word in given]
    # the first one names films in any case: a file that is not there is refused where it is opened
    while words and (not films or Path(words[0]).exists()):
        place = Path(words.pop(0))
        found, beside = video_files(place) if place.is_dir() else ([place], [])
        films, others = [*films, *found], [*others, *beside]
    by_stem: dict[str, Path] = {}
    for film in films:
        if (other := by_stem.setdefault(film.stem, film)) is not film:
            raise ValueError(
                f"predict: {other} and {film} share the name {film.stem!r}, by which results are named: rename one, or "
                "ask for them by two commands."
            )
    return films, words, others


def check_out(out: Path | None) -> None:
    """Checks that the page of one film is none of the files that are written beside it.

    Raises:
        ValueError: If it has the name of the record or of the table.
    """
    if out is not None and out.suffix.lower() in (".json", ".csv"):
        raise ValueError(
            f"predict: --out {out} names the page, beside which a .json and a .csv of its name are written: give "
            f"{out.with_suffix('.html')}."
        )


def _one(asked: Asked, film: Path, known: str) -> int:
    """Prints what a run says of one film; its files lie beside its page."""
    found = dict(asked.reader.read([film]))[film]
    if isinstance(found, Exception):
        raise found
    print(f"{film}, by {asked.run}{known}")
    for told in asked.task.tell(found, asked.classes):
        print(told.line)
    if written := asked.write_files(film, found):
        print(f"written            {written}")
    page: Path = asked.given.out or asked.run / PAGES / f"{film.stem}.html"
    drawn = asked.write_page(page, film, found)
    record = asked.record(film, found)
    make_folder(page.parent)
    write_record(page.with_suffix(".json"), record)
    write_table(page.with_suffix(".csv"), [record])
    print(f"written to         {page if drawn else page.with_suffix('')}{', ' * drawn}.json, .csv")
    return 0


def _many(asked: Asked, films: Sequence[Path], others: Sequence[str], known: str) -> int:
    """Writes what a run says of many films: a page and a record each, and one table."""
    need("tqdm", f"crossmodal {asked.task.name} predict")
    from tqdm import tqdm

    folder: Path = asked.given.out or asked.run / PAGES
    make_folder(folder)
    records = {film: read_record(folder / f"{film.stem}.json") for film in films}
    done = {film: record for film, record in records.items() if record and asked.is_done(folder, film, record)}
    print(f"{asked.task.name} predict: {len(films)} films → {folder}/, by {asked.run}{known}", flush=True)
    if others:
        print(f"left alone, no videos by their names: {', '.join(map(printable, others))}", flush=True)
    failed, missing, began, before = {}, [film for film in films if film not in done], time.monotonic(), len(done)
    with (
        folder_lock(folder),
        tqdm(total=len(films), initial=before, desc="predict", unit="film", disable=not missing) as bar,
    ):
        for film, found in asked.reader.read(missing):
            outcome = found if isinstance(found, Exception) else _write(asked, folder, film, found)
            if isinstance(outcome, Exception):
                failed[film.name] = failure(outcome).reason
                bar.set_postfix_str(f"{len(failed)} failed")
            else:
                done[film] = outcome
            bar.update()
        write_table(folder / TABLE, [done[film] for film in films if film in done])
        listed = folder / "predictions.failed.csv"
        write_failed(listed, failed)
    seconds = sum(done[film].seconds for film in missing if film in done)
    rate = f", {seconds / max(time.monotonic() - began, 1e-9):.1f} s of film a second" if seconds else ""
    there = f", {before} of them before" if before else ""
    if missing:
        print(asked.reader.waiting_time.line("films"))
    print(f"predictions for {len(done)} of {len(films)} films{there}{rate}")
    print(f"written to         {folder / TABLE}" + (f"; {len(failed)} failed: see {listed}" if failed else ""))
    return SOME_FAILED if failed else 0


def _write(asked: Asked, folder: Path, film: Path, windows: Sequence[Window]) -> FilmRecord | Exception:
    """Writes page, files and record of a film; returns the record, or what is wrong with the film's name."""
    try:
        check_utf8_name(film.name)
    except ValueError as error:
        return error
    asked.write_files(film, windows)
    asked.write_page(folder / f"{film.stem}.html", film, windows)
    record = asked.record(film, windows)
    write_record(folder / f"{film.stem}.json", record)  # the last: with it the film counts as done
    return record


def _stamp(run: Path, words: Sequence[str], given: argparse.Namespace, seconds: int) -> str:
    """Returns what changes with all that predictions depend on, but the film."""
    files = [run / ADAPTERS, *([given.motion] if given.motion else [])]
    weights = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    return json.dumps([weights, list(words), given.classes, seconds, decoder_versions(), versions()])


def motion_of(system: SystemModule, weights: Path, run: Path) -> MotionFeatures:
    """Returns the network that makes features of motion, for a system that reads them.

    Raises:
        ValueError: If the system reads none.
    """
    if not getattr(system, "motion_width", 0):
        raise ValueError(f"predict: --motion {weights}: the system of {run} reads no features of motion: leave it out.")
    return motion_features(weights)


def on_device(system: SystemModule, device: str) -> SystemModule:
    """Returns a system on a device, the frozen extractors that it reads features of as well."""
    inputs = system.inputs
    if isinstance(inputs, Features):
        inputs.visual.to(device)
        inputs.audio.to(device)
    return system.to(device)


def use_classes(system: SystemModule, classes: str, run: Path) -> None:
    """Makes a system look for other classes than those it was trained on, given as names separated by commas.

    Raises:
        ValueError: If there is no name, they are no list, or the system knows the classes of its training alone.
    """
    names = listed_names(classes, "predict: --classes")
    use = getattr(system, "use_classes", None)
    if not names or use is None:
        why = f"it knows its {len(system.classes)} labels alone" if names else "no name is given"
        raise ValueError(
            f"predict: --classes {classes!r} does not fit {run}: {why}. Give names separated by commas, to a run of a "
            "system that matches names, such as those of few_shot and zero_shot."
        )
    use(names)


def options(task: Task) -> OptionParser:
    """Returns the parser of `predict`."""
    about = """Says what a run finds in video files. Of one file it prints a line each; of a folder, or of several
files, it writes a page and a .json a film and one predictions.csv, and goes on where it was ended. Exit code: 0, or 3
where some of several films failed (predictions.failed.csv says which, and why), 1 where nothing was done."""
    parser = OptionParser(prog=f"crossmodal {task.name} predict", description=about)
    add = parser.add_argument
    add("clip", type=Path, help="a video file with sound, or a folder of them")
    add("words", nargs="*", help="further files or folders; behind them what else the task asks for, such as questions")
    classes = 'names separated by commas ("a, b" in double quotes), in place of those of the training, where it can'
    add("--classes", help=classes)
    add_run_options(parser)
    page = "the page to write, or the folder for several films (default: predictions/ in the run's folder)"
    add("--out", type=Path, help=page)
    add("--no-pages", action="store_true", help="write tables alone, no page of pictures")
    add("--device", default="cpu", help="where the model runs (default: cpu)")
    add("--batch_size", type=int_at_least(1), default=1, help="windows that share a run of the model (default: 1)")
    add("--workers", type=int_at_least(0), default=2, help="films that are decoded at a time (default: 2)")
    add("--motion", type=Path, help="weights of R(2+1)D-18, for a system that reads features of motion")
    parser.set_defaults(files=None)
    if isinstance(task, WritesFiles):
        add(f"--{task.files}", dest="files", type=Path, help=f"folder that gets the {task.files}, too")
    return parser

"""`crossmodal TASK fit`: trains a system, keeps the weights that validate best, and tests them once."""

import argparse
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytorch_lightning as pl
import yaml
from jsonargparse import ArgumentParser, Namespace

from crossmodal.data.many_videos.video_folder import write_failed
from crossmodal.data.source import Source
from crossmodal.evaluation.report.report import REPORT, write_page, write_report
from crossmodal.io import write_whole
from crossmodal.tasks.coupled_system import CoupledSystem
from crossmodal.tasks.resolve import task_word
from crossmodal.tasks.stages import stages_of
from crossmodal.tasks.task import Task, percent_of, system_remarks
from crossmodal.training.checkpoint_io import Last, last_checkpoint
from crossmodal.training.choice import read_options
from crossmodal.training.data_module import DataModule
from crossmodal.training.deviations import deviations
from crossmodal.training.evidence import STEPS, evidence
from crossmodal.training.finite import check_weights
from crossmodal.training.fit import train
from crossmodal.training.going_on import command_to_test, next_commands, resume_command, telling_how_to_go_on
from crossmodal.training.lightning_module import SystemTraining
from crossmodal.training.options import check_least_values, parse
from crossmodal.training.predictions import Tested
from crossmodal.training.ranks import is_first, share_name, shared_name
from crossmodal.training.resumed_options import check_resumed_options, told_changes
from crossmodal.training.run import build, feature_folder, prepare_source, test_run, write_results
from crossmodal.training.run_folder import CONFIG, REMARKS, claimed_run, find_place, read_summary, write_summary
from crossmodal.training.stages import train_stages
from crossmodal.training.waiting_for_clips import WAITING, waiting_line

LEFT_OUT = "left_out.csv"
"""Of a run: files that could not be read, and why."""


def fit(argv: Sequence[str], task: Task) -> None:
    """Trains, keeps the weights that validate best, and tests them once."""
    parser, given = parse_or_resume(argv, task)
    check_least_values(given, task)
    name = shared_name(given.name, time.strftime(f"{task.name}-%Y%m%d-%H%M%S"))
    if not is_first():  # the first one has claimed the folder, and tells the name
        fit_in(given.runs / name, parser, given, task)
        return
    with claimed_run(given.runs, name, resume=given.resume, numbered=given.name is None) as run:
        share_name(str(run.relative_to(given.runs)))
        fit_in(run, parser, given, task)


def fit_in(run: Path, parser: ArgumentParser, given: Namespace, task: Task) -> None:
    """Trains and tests in the folder of a run, which no other process writes."""
    pl.seed_everything(given.seed, workers=True, verbose=False)
    arguments = parser.instantiate(given)
    source: Source = arguments.data
    announce(task, given, source, run)
    source.check()
    system = build(arguments, source.classes, task)
    remarks = system_remarks(system)
    if is_first() and remarks:
        print("\n".join(f"system             {line}" for line in remarks), flush=True)
    prepared = partial(prepare_source, folder=feature_folder(given.runs))
    source = prepared(source, system)
    training = SystemTraining(system, task, **vars(arguments.optim))
    found = deviations(training, source, arguments.trainer.callbacks or (), trainer=vars(arguments.trainer))
    stages = stages_of(given.system, task.name)
    last = last_checkpoint(run, training) if given.resume else None
    if given.resume:
        before, now = read_options(run / CONFIG), yaml.safe_load(parser.dump(given, skip_unset=False))
        check_resumed_options(run, before, now, stages=[stage.name for stage in stages], begun=last is not None)
        found = (*found, *told_changes(before, now))
    warn(found)
    if is_first():
        begin(run, parser, given, source, last)
    started = time.monotonic()
    with telling_how_to_go_on(resume_command(run, task_word(task))):
        if last is None:  # the checkpoint of the last training has what those before it left
            train_stages(run, stages, system, arguments, prepared)
        trained = train(
            run,
            training,
            DataModule(source),
            last,
            monitor=f"val_{task.monitor}",
            seed=given.seed,
            options=vars(arguments.trainer),
            save_minutes=given.save_minutes,
        )
        check_weights(system, f"run {run}")
        if is_first():
            facts = {REMARKS: remarks, STEPS: trained.trainer.global_step, WAITING: round(trained.waiting.share, 3)}
            facts |= {"selected_on": source.validation} if trained.selected else {}
            write_results(run, given, system, task, source, seconds=time.monotonic() - started)
            write_summary(run, **facts, **({"deviations": found} if found else {}))
            if trained.waiting.waited:  # a system that does not train has no steps
                print(waiting_line(trained.waiting))
    with telling_how_to_go_on(command_to_test(run, task_word(task))):
        tested = test_run(run, trained.trainer, training, source)
        tell(run, tested, training, source, tried=bool(arguments.trainer.fast_dev_run))
    if tested is not None:
        coupled = isinstance(system, CoupledSystem)
        print("\n".join(["next:", *(f"  {command}" for command in next_commands(run, task, coupled=coupled))]))


def parse_or_resume(argv: Sequence[str], task: Task) -> tuple[ArgumentParser, Namespace]:
    """Parses the options; those of a run that resumes are its own where nothing else is given."""
    place = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for option in ("resume", "name", "runs"):
        place.add_argument(f"--{option}")
    asked = place.parse_known_args(argv)[0]
    # the parser of `fit` needs the system and the data of the run before it can read the words
    if asked.name is None or yaml.safe_load(asked.resume or "false") is not True:
        parser, given = parse(argv, task)
        if not given.resume:
            return parser, given
        if given.name is None:
            raise ValueError(f"{task.name} fit: --resume goes on with one run: say which by --name.")
        asked.name, asked.runs = given.name, given.runs
    runs = Path(asked.runs or "runs")
    stored = find_place(runs, asked.name, resume=True) / CONFIG
    # the folder may have been moved since the run wrote down where it lies
    here = ["--runs", str(runs), "--name", asked.name, "--resume", "true"]
    return parse(["--config", str(stored), *argv, *here], task)


def announce(task: Task, given: Namespace, source: Source, run: Path) -> None:
    """Prints the first line of a run: what is trained, on what."""
    if is_first():
        print(f"crossmodal {task.name} fit: system {given.system}, on {source.describe()}; run {run}", flush=True)


def warn(found: Sequence[str]) -> None:
    """Prints what this training does that a careful one does not."""
    if found and is_first():
        print("\n".join(["This training deviates from a careful one:", *(f"- {sentence}" for sentence in found)]))


def begin(run: Path, parser: ArgumentParser, given: Namespace, source: Source, last: Last | None) -> None:
    """Writes the options of a run and what was left out of the data; says where it goes on, if it does elsewhere."""
    if last is not None:
        for file, reason in last.damaged.items():
            print(f"damaged            {file} ({reason}): going on from {last.file}, behind step {last.step}")
    stored = given.clone()
    stored.resume = False  # the file describes the run; that it goes on is said anew each time
    write_whole(run / CONFIG, parser.dump(stored, skip_unset=False))
    write_failed(run / LEFT_OUT, source.left_out())
    if source.left_out():
        print(f"left out           see {run / LEFT_OUT}", flush=True)


def tell(
    run: Path,
    tested: Tested | None,
    training: SystemTraining,
    source: Source,
    *,
    tried: bool,
) -> None:
    """Writes the report of a tested run and prints its scores beside chance, and on what its weights were selected.

    Args:
        run: Its folder.
        tested: What the test found; `None` where it did not run, of which nothing is told.
        training: What was trained.
        source: Its data.
        tried: Whether `--trainer.fast_dev_run` was given, which validates and keeps nothing.
    """
    if tested is None:
        return
    task, summary = training.task, read_summary(run)
    write_page(run / REPORT, partial(write_report, run, training.system, source.split("test"), task))
    if STEPS in summary and "selected_on" not in summary:  # summaries without steps are older, and do not say
        why = "--trainer.fast_dev_run keeps no weights" if tried else "no validation was run"
        print(f"selected on        nothing: {why}, so these are the scores of the last weights")
    elif source.validation == "test":
        print("selected on        the test split: what follows is the best of all epochs on these very clips")
    for name, value in tested.scores.items():
        print(f"test {name:<13} {100 * value:.1f} {percent_of(task)}")
        if (chance := tested.chance.get(name)) is not None:
            print(f"chance             {100 * chance:.1f} %  ({100 * (value - chance):+.1f} points)")
    for sentence in evidence(summary, task.monitor):
        print(f"evidence           {sentence}")
    print(f"written to         {run}/")

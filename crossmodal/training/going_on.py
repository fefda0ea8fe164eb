"""Commands that go on with a run, printed where it ends: before its time, or when it is finished."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from crossmodal.tasks.resolve import task_word
from crossmodal.tasks.task import Task


def resume_command(run: Path, task: str) -> str:
    """Returns the command that goes on with the training of a run, as a shell takes it; `task` is its word there."""
    return _command(task, "fit", {"runs": str(run.parent), "name": run.name, "resume": "true"})


def command_to_test(run: Path, task: str) -> str:
    """Returns the command that tests a trained run."""
    return _command(task, "test", {"run": str(run)})


def next_commands(run: Path, task: Task, *, coupled: bool) -> Iterator[str]:
    """Yields the commands that look at a finished run, test it again and train it further.

    Args:
        run: Its folder.
        task: The task; verbs that it does not have are left out.
        coupled: Whether the system has coupled encoders, whose maps can be looked at.
    """
    word, asked = task_word(task), getattr(task, "asks_for", ())
    verbs = ["predict", *(["look", "figure"] if coupled else []), "test"]
    for verb in (verb for verb in verbs if verb not in task.absent):
        # names in capitals are the reader's to replace
        yield _command(word, verb, {"run": str(run)}, ["CLIP.mp4", *asked] if verb == "predict" else [])
    yield resume_command(run, word)


@contextmanager
def telling_how_to_go_on(command: str) -> Iterator[None]:
    """Adds a command to what an interruption or a full disk says.

    Raises:
        KeyboardInterrupt: If the block is interrupted; Lightning leaves by `SystemExit` then.
        OSError: As the block, with the command behind it.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as stopped:
        raise KeyboardInterrupt(f"interrupted; go on with: {command}") from stopped
    except OSError as error:
        raise OSError(f"{str(error).rstrip('.')}; go on with: {command}") from error


def _command(task: str, verb: str, options: dict[str, str], behind: Sequence[str] = ()) -> str:
    """Returns a command as a shell takes it.

    Args:
        task: Word of the task.
        verb: The verb.
        options: Name → value; one that begins with a dash would be taken for an option if it stood alone.
        behind: Words behind the verb.
    """
    words = [
        part
        for name, value in options.items()
        for part in ([f"--{name}={value}"] if value.startswith("-") else [f"--{name}", value])
    ]
    return shlex.join(["crossmodal", task, verb, *behind, *words])

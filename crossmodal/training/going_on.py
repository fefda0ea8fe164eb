"""Commands that go on with a run, printed where it ends before its time."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def resume_command(run: Path, task: str) -> str:
    """Returns the command that goes on with the training of a run, as a shell takes it; `task` is its word there."""
    return _command(task, "fit", {"runs": str(run.parent), "name": run.name, "resume": "true"})


def command_to_test(run: Path, task: str) -> str:
    """Returns the command that tests a trained run."""
    return _command(task, "test", {"run": str(run)})


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


def _command(task: str, verb: str, options: dict[str, str]) -> str:
    """Returns a command; a value that begins with a dash would be taken for an option if it stood alone."""
    words = [
        part
        for name, value in options.items()
        for part in ([f"--{name}={value}"] if value.startswith("-") else [f"--{name}", value])
    ]
    return shlex.join(["crossmodal", task, verb, *words])

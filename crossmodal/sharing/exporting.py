"""Exports a trained system for use without this library: as a program of `torch.export`, or as ONNX.

Every export is run once more from its file, on other numbers and another number of clips, and compared with the system;
a file whose numbers differ is not written.
"""

import json
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from crossmodal import __version__
from crossmodal.data.vocabulary import as_text
from crossmodal.injection import plain_linears
from crossmodal.installed_by import installed_by
from crossmodal.io import make_folder, whole_file, write_whole
from crossmodal.tasks.task import SystemModule, Task

from .traced_system import Example, TracedSystem, example

TOLERANCE = 1e-3
"""Largest difference between a written file and the system, as a share of the largest number of the output, or of 1."""

ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
TRACED, COMPARED = 2, 3
"""Clips in the batch that is traced, and in the one that is compared."""


class Exported(NamedTuple):
    """An exported file.

    Attributes:
        file: The file.
        description: The JSON beside it: inputs, outputs, classes.
        differences: Output → largest difference from the system, as a share of the largest number of that output, or
            of 1; of whole numbers and marks, the share of entries that differ.
    """

    file: Path
    description: Path
    differences: dict[str, float]


def export(system: SystemModule, task: Task, file: str | Path, *, segments: int | None = None) -> Exported:
    """Writes a system as `.pt2` (`torch.export`) or `.onnx`, for any number of clips, and a JSON that describes it.

    Args:
        system: The system; a copy of it is exported, in evaluation mode, on the CPU.
        task: Its task.
        file: The file to write; its suffix chooses the format.
        segments: Seconds of a clip; by default those that the system was built for, or the task's.

    Returns:
        The files, and how far their numbers are from the system's.

    Raises:
        OSError: If a file cannot be written.
        ImportError: If a package that the format needs is not installed.
        ValueError: If the suffix is another, the system cannot be exported, or the file's numbers are not the system's.
    """
    file = Path(file)
    if file.suffix not in FORMATS:
        raise ValueError(f"export: {file} must end in {' or '.join(FORMATS)}, which chooses the format.")
    if segments is not None and segments < 1:
        raise ValueError(f"export: segments={segments} must be at least 1.")
    write, run = FORMATS[file.suffix]
    copy = plain_linears(deepcopy(system).cpu())  # exporters know torch's own linear layers alone
    segments = segments or window_seconds(copy, task)
    given = example(copy, task, segments, TRACED, seed=0)
    traced = TracedSystem(copy, given.batch).eval()
    make_folder(file.parent, before="export: ")
    with whole_file(file, before="export: ") as draft:
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the exporters, about themselves
                write(traced, given, draft)
                differences = compared(traced, example(copy, task, segments, COMPARED, seed=1), run, draft)
        except ImportError:
            raise
        except Exception as error:  # exporters raise whatever they meet
            raise ValueError(
                f"export: this {type(system).__name__} cannot be written as {file.suffix}: {_first_line(error)} "
                "Something in it depends on values of its inputs or is unknown to the format: "
                f"{_other(file.suffix)}, or replace that part."
            ) from error
        check_differences(differences, file)
    description = file.with_suffix(file.suffix + ".json")
    write_whole(description, json.dumps(description_of(traced, given, task, segments, differences), indent=2) + "\n")
    return Exported(file, description, differences)


def window_seconds(system: SystemModule, task: Task) -> int:
    """Returns the seconds of a clip that a system was built for, or else the task's."""
    found = (getattr(module, "segments", None) for module in system.modules())
    built = {segments for segments in found if isinstance(segments, int)}
    return built.pop() if len(built) == 1 else task.segments


def compared(
    traced: TracedSystem, given: Example, run: Callable[[Path, Sequence[Tensor]], Sequence[Tensor]], file: Path
) -> dict[str, float]:
    """Returns output → difference between a file and the system on a batch."""
    with torch.no_grad():
        expected = traced(*given.tensors.values())
    found = run(file, list(given.tensors.values()))
    return {name: largest_difference(of_file, expected[name]) for name, of_file in zip(expected, found, strict=True)}


def largest_difference(found: Tensor, expected: Tensor) -> float:
    """Returns how far a tensor is from another, as `Exported.differences` says it; infinite where shapes differ."""
    if found.shape != expected.shape:
        return float("inf")
    differs = found != expected
    if not differs.any():
        return 0.0
    if not expected.is_floating_point():
        return float(differs.float().mean())
    far = (found.double() - expected.double()).abs()[differs].max()
    largest = max(1.0, float(expected.nan_to_num(0, 0, 0).abs().max()))
    return float((far / largest).nan_to_num(float("inf")))


def check_differences(differences: Mapping[str, float], file: Path) -> None:
    """Refuses a file whose numbers are not the system's.

    Raises:
        ValueError: Naming the worst output, its difference and the tolerance.
    """
    worst = max(differences, key=lambda name: differences[name])
    if differences[worst] > TOLERANCE:
        raise ValueError(
            f"export: {file} was not written: its output {worst!r} differs from the system's by "
            f"{differences[worst]:.2g}, more than {TOLERANCE:g}: {_other(file.suffix)}."
        )


def description_of(
    traced: TracedSystem, given: Example, task: Task, segments: int, differences: Mapping[str, float]
) -> dict[str, Any]:
    """Returns what the JSON beside an exported file says."""
    with torch.no_grad():
        outputs = traced(*given.tensors.values())
    preprocess = traced.system.inputs.preprocess
    return {
        "version": __version__,
        "torch": torch.__version__,
        "task": task.name,
        "classes": json.loads(as_text(traced.system.classes)),
        "segments": segments,
        "inputs": {name: _shape(tensor) for name, tensor in given.tensors.items()},
        "preprocessing": {
            "frames": "RGB in [0, 1], one frame a second, resized bicubically (not antialiased), minus mean, over std",
            "wave": "mono in [-1, 1], one second a row",
            **{name: getattr(preprocess, name) for name in ("size", "rate", "mean", "std")},
        },
        "outputs": {name: {**_shape(outputs[name]), "difference": differences[name]} for name in outputs},
    }


def _shape(tensor: Tensor) -> dict[str, Any]:
    return {"shape": ["clip", *tensor.shape[1:]], "dtype": str(tensor.dtype).removeprefix("torch.")}


def _first_line(error: Exception) -> str:
    """Returns the first line of an error that says something."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return said if said.endswith((".", "!", "?")) else f"{said}."


def _other(suffix: str) -> str:
    return f"try {next(other for other in FORMATS if other != suffix)}"


def write_program(traced: TracedSystem, given: Example, file: Path) -> None:
    """Writes a program of `torch.export`; the number of clips is free."""
    program = torch.export.export(traced, tuple(given.tensors.values()), dynamic_shapes=_any_clips(given))
    torch.export.save(program, file)


def run_program(file: Path, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Runs a program of `torch.export` from its file."""
    outputs: dict[str, Tensor] = torch.export.load(file).module()(*inputs)
    return list(outputs.values())


def write_onnx(traced: TracedSystem, given: Example, file: Path) -> None:
    """Writes ONNX by torch's exporter (extra `export`); the number of clips is free."""
    missing = [name for name in ONNX_PACKAGES if find_spec(name) is None]
    if missing:
        raise ImportError(f"export: .onnx needs {', '.join(missing)}: {installed_by(missing[0])}.")
    with torch.no_grad():
        names = list(traced(*given.tensors.values()))
    chatter = logging.getLogger("onnxscript")  # what its optimizer leaves as it is
    before = chatter.level
    chatter.setLevel(logging.ERROR)
    try:
        program = torch.onnx.export(
            traced,
            tuple(given.tensors.values()),
            input_names=list(given.tensors),
            output_names=names,
            dynamic_shapes=_any_clips(given),
            dynamo=True,
            verbose=False,
        )
    finally:
        chatter.setLevel(before)
    if program is None:
        raise ValueError("torch.onnx.export returned no program.")
    program.save(str(file), external_data=False)  # one file, which can be renamed


def run_onnx(file: Path, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Runs an ONNX file by onnxruntime, on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    given = {wanted.name: tensor.numpy() for wanted, tensor in zip(session.get_inputs(), inputs, strict=True)}
    return [torch.from_numpy(output) for output in session.run(None, given)]


def _any_clips(given: Example) -> Any:
    """Returns the free axes of the inputs: the first of each, the same number of clips."""
    clips = torch.export.Dim("clip")
    return (tuple({0: clips} for _ in given.tensors),)  # nested once: the fields are a `*fields`


FORMATS: Mapping[str, tuple[Any, Any]] = {".pt2": (write_program, run_program), ".onnx": (write_onnx, run_onnx)}
"""Suffix → what writes such a file, and what runs it."""

"""Adapter-only files: what was trained, without the frozen encoders, and a header that says what it belongs to."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..injection.frozen import stays_in_eval

METADATA = "crossmodal"  # one entry: safetensors writes several in no fixed order


def frozen_prefixes(model: nn.Module) -> list[str]:
    """Names of the outermost modules that have parameters, none of which is trained."""
    found: list[str] = []
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        parameters = list(module.parameters())
        if name and not inside and parameters and not any(p.requires_grad for p in parameters):
            found.append(name)
    return found


def adapter_state(model: nn.Module) -> dict[str, Tensor]:
    """The part of the state that training changes: everything outside frozen modules, buffers included.

    Of modules that are frozen in their parameters alone (`freeze_parameters`), the buffers, which still move.
    """
    prefixes = tuple(f"{name}." for name in frozen_prefixes(model))
    moving = {
        f"{name}.{buffer}"
        for name, module in model.named_modules()
        if name and not stays_in_eval(module)
        for buffer, _ in module.named_buffers(recurse=False)
    }
    state = model.state_dict()
    return {name: tensor for name, tensor in state.items() if name in moving or not name.startswith(prefixes)}


def save_adapters(model: nn.Module, file: str | Path, **header: str) -> None:
    """Writes the adapter state of `model` as safetensors, whole or not at all.

    - `header`: what the file belongs to, as in `recipe="recipes.dg_sct.dg_sct"`; `load_adapters` compares it.

    Raises `OSError` where the file cannot be written.
    """
    file = Path(file)
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in adapter_state(model).items()}
    said = json.dumps({"header": header, "sha256": _digest(header, state)})
    temporary = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        save_file(state, temporary, metadata={METADATA: said})
        os.replace(temporary, file)
    except SafetensorError as error:
        raise OSError(f"save_adapters: {file} cannot be written ({error}): choose another folder.") from error
    finally:
        temporary.unlink(missing_ok=True)


def load_adapters(model: nn.Module, file: str | Path, **expected: str) -> None:
    """Loads what `save_adapters` wrote; the model is changed only after everything was found to fit.

    Raises `FileNotFoundError`, or `ValueError` where the file is no adapter file or not as it was written, where its
    header differs from `expected`, or where tensors are missing, left over, of another shape or dtype, or would go to
    the meta device; the message is a table.
    """
    file = Path(file)
    header, state = _read(file)
    rows = [
        f"  {name}: the file has {header.get(name)!r}, this model {value!r}"
        for name, value in expected.items()
        if header.get(name) != value
    ]
    if rows:
        raise ValueError("\n".join([f"load_adapters: {file} belongs to another model:", *rows]))
    rows = differences(adapter_state(model), state)
    if rows:
        shown = [*rows[:20], *([f"  … and {len(rows) - 20} more"] if len(rows) > 20 else [])]
        raise ValueError("\n".join([f"load_adapters: {file} does not fit this {type(model).__name__}:", *shown]))
    own = model.state_dict()
    for name, tensor in state.items():
        own[name].copy_(tensor)


def read_header(file: str | Path) -> dict[str, str]:
    """What the file says it belongs to. Raises as `load_adapters` does."""
    return _read(Path(file))[0]


def differences(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> list[str]:
    """One line a tensor that is missing, left over, of another shape or dtype, or on the meta device."""
    rows = [f"  {name}: missing from the file" for name in ours if name not in theirs]
    rows += [f"  {name}: in the file, not in the model" for name in theirs if name not in ours]
    for name in ours.keys() & theirs.keys():
        mine, given = ours[name], theirs[name]
        if mine.is_meta:
            rows.append(f"  {name}: on the meta device here, where nothing can be kept; to_empty(device=...) first")
        elif (mine.shape, mine.dtype) != (given.shape, given.dtype):
            rows.append(
                f"  {name}: {given.dtype} {tuple(given.shape)} in the file, {mine.dtype} {tuple(mine.shape)} here"
            )
    return sorted(rows)


def _read(file: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    if not file.is_file():
        raise FileNotFoundError(f"load_adapters: {file} does not exist.")
    try:
        with safe_open(file, framework="pt") as opened:
            said = json.loads((opened.metadata() or {})[METADATA])
            header, promised = dict(said["header"]), said["sha256"]
            state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"load_adapters: {file} is no whole adapter file of crossmodal ({error}).") from error
    if _digest(header, state) != promised:
        raise ValueError(f"load_adapters: {file} is damaged: its tensors are not those written. Copy the file again.")
    return header, state


def _digest(header: Mapping[str, str], state: Mapping[str, Tensor]) -> str:
    """A hash over the header, and over name, dtype, shape and bytes of every tensor."""
    digest = hashlib.sha256(json.dumps(header).encode())
    for name, tensor in sorted(state.items()):
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()

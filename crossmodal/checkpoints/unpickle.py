"""`python -m crossmodal.checkpoints.unpickle IN OUT.safetensors --i-trust-this-file`: tensors out of a file of pickle.

To unpickle is to run what the file says. Nothing else in this package does it, and nothing calls this command.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from crossmodal.checkpoints import read_weights

WARNING = """\
WARNING: {file} is read by pickle, which EXECUTES WHATEVER THE FILE SAYS, with all your rights on this machine.
Only go on with a file whose makers you trust, got from where they put it; best where there is nothing to lose."""


def main(argv: Sequence[str]) -> int:
    """Writes the tensors of a file of pickle as safetensors; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m crossmodal.checkpoints.unpickle",
        description="Writes the tensors of a checkpoint that needs pickle as safetensors. EXECUTES WHAT THE FILE SAYS.",
    )
    parser.add_argument("file", type=Path, help="a checkpoint of torch.save")
    parser.add_argument("out", type=Path, help="the .safetensors file to write; it must not exist")
    parser.add_argument("--i-trust-this-file", action="store_true", help="say so, else nothing is read")
    given = parser.parse_args(list(argv))
    print(WARNING.format(file=given.file), file=sys.stderr)
    try:
        if given.out.suffix != ".safetensors" or given.out.exists():
            raise ValueError(f"{given.out} must be a new file named .safetensors.")
        if not given.i_trust_this_file:
            raise ValueError("nothing was read: add --i-trust-this-file if you do.")
        for note in unpickle(given.file, given.out):
            print(note)
    except (ValueError, OSError) as error:
        print(f"unpickle_checkpoint: {error}", file=sys.stderr)
        return 1
    return 0


def unpickle(file: Path, out: Path) -> tuple[str, ...]:
    """Reads `file` by pickle and writes its tensors, whole or not at all; says what was done."""
    try:
        held = torch.load(file, map_location="cpu", weights_only=False)
    except FileNotFoundError:
        raise
    except Exception as error:  # a file of pickle may raise anything
        raise ValueError(f"{file} cannot be unpickled here: {type(error).__name__}: {error}.") from error
    found = read_weights(held)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        save_file({name: tensor.detach().clone().contiguous() for name, tensor in found.tensors.items()}, temporary)
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
    return (*found.notes, f"{len(found.tensors)} tensors of {file} written to {out}; from now on read that one.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

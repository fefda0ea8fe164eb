"""`python -m crossmodal.checkpoints.unpickle IN OUT.safetensors --i-trust-this-file`: converts a pickled checkpoint.

Unpickling executes code in the file. Nothing calls this command; `crossmodal.data.unpickle_avs` is the other one.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from crossmodal.checkpoints import read_weights
from crossmodal.io import whole_file
from crossmodal.option_parser import OptionParser

WARNING = """\
WARNING: {file} is read by pickle, which EXECUTES WHATEVER THE FILE SAYS, with all your rights on this machine.
Only go on with a file whose makers you trust, got from where they put it; best where there is nothing to lose."""


def main(argv: Sequence[str]) -> int:
    """Parses the command line and converts the file; returns the exit code."""
    parser = OptionParser(
        prog="python -m crossmodal.checkpoints.unpickle",
        description="Writes the tensors of a checkpoint that needs pickle as safetensors. EXECUTES WHAT THE FILE SAYS.",
    )
    parser.add_argument("file", type=Path, help="a checkpoint of torch.save")
    parser.add_argument("out", type=Path, help="the .safetensors file to write; it must not exist")
    parser.add_argument("--i-trust-this-file", action="store_true", help="say so, else nothing is read")
    options = parser.parse_args(list(argv))
    print(WARNING.format(file=options.file), file=sys.stderr)
    try:
        if options.out.suffix != ".safetensors" or options.out.exists():
            raise ValueError(f"{options.out} must be a new file named .safetensors.")
        if not options.i_trust_this_file:
            raise ValueError("nothing was read: add --i-trust-this-file if you do.")
        for note in unpickle(options.file, options.out):
            print(note)
    except (ValueError, OSError) as error:
        print(f"unpickle: {error}", file=sys.stderr)
        return 1
    return 0


def unpickle(file: Path, out: Path) -> tuple[str, ...]:
    """Reads `file` by pickle and writes its tensors to `out`, whole or not at all; returns notes on what was done.

    Raises:
        ValueError: If the file cannot be unpickled or holds no tensors.
        OSError: If a file cannot be read or written.
    """
    try:
        content = torch.load(file, map_location="cpu", weights_only=False)
    except FileNotFoundError:
        raise
    except Exception as error:  # a file of pickle may raise anything
        raise ValueError(f"{file} cannot be unpickled here: {type(error).__name__}: {error}.") from error
    checkpoint = read_weights(content)
    # cloned: safetensors refuses tensors that share memory
    tensors = {name: tensor.detach().clone().contiguous() for name, tensor in checkpoint.tensors.items()}
    with whole_file(out) as draft:
        save_file(tensors, draft)
    return (*checkpoint.notes, f"{len(tensors)} tensors of {file} written to {out}; from now on read that one.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

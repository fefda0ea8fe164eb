"""`python -m crossmodal.data.unpickle_avs ROOT --i-trust-these-files`: converts AVSBench's pickled waves to plain ones.

DG-SCT's authors published the sounds of AVSBench as pickled dictionaries, `AVS.npy`. Unpickling executes code in the
file. No reader of this package does it, nothing calls this command; `crossmodal.checkpoints.unpickle` is the other one.
"""

import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from crossmodal.io import write_whole
from crossmodal.option_parser import OptionParser

WARNING = """\
WARNING: {file} is read by pickle, which EXECUTES WHATEVER THE FILE SAYS, with all your rights on this machine.
Only go on with a file whose makers you trust, got from where they put it; best where there is nothing to lose."""
PICKLED = "AVS.npy"


def main(argv: Sequence[str]) -> int:
    """Parses the command line and converts the files; returns the exit code."""
    parser = OptionParser(
        prog="python -m crossmodal.data.unpickle_avs",
        description=f"Writes the waves in every {PICKLED} below a folder as plain files beside it. EXECUTES WHAT THE "
        "FILES SAY.",
    )
    parser.add_argument("root", type=Path, help="folder of the data set")
    parser.add_argument("--i-trust-these-files", action="store_true", help="say so, else nothing is read")
    options = parser.parse_args(list(argv))
    files = sorted(options.root.rglob(PICKLED))
    for file in files:
        print(WARNING.format(file=file), file=sys.stderr)
    try:
        if not files:
            raise ValueError(f"no {PICKLED} below {options.root}.")
        if not options.i_trust_these_files:
            raise ValueError("nothing was read: add --i-trust-these-files if you do.")
        for file in files:
            print(f"{file}: {sum(1 for _ in unpickle_waves(file))} waves written beside it")
    except (ValueError, OSError) as error:
        print(f"unpickle_avs: {error}", file=sys.stderr)
        return 1
    return 0


def unpickle_waves(file: Path) -> Iterator[Path]:
    """Reads a file by pickle and writes a plain `.npy` for every wave in it, whole or not at all; yields their paths.

    Args:
        file: Pickled dictionary, `NAME.wav` → samples.

    Raises:
        ValueError: If it cannot be unpickled or holds no waves.
    """
    try:
        content = np.load(file, allow_pickle=True).item()
    except Exception as error:  # a file of pickle may raise anything
        raise ValueError(f"{file} cannot be unpickled here: {type(error).__name__}: {error}.") from error
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{file} holds a {type(content).__name__}, expected a dictionary of waves.")
    for name, samples in content.items():
        buffer = io.BytesIO()
        np.save(buffer, np.asarray(samples, dtype=np.float32).reshape(-1), allow_pickle=False)
        # the name comes from the file: it must not lead elsewhere
        target = file.parent / f"{Path(str(name)).name.removesuffix('.wav')}.npy"
        write_whole(target, buffer.getvalue())
        yield target


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`.npy` files of plain numbers, mapped and never unpickled."""

from pathlib import Path

import numpy as np


def map_plain_npy(file: Path, owner: str, what: str, remedy: str) -> np.ndarray:
    """Maps a `.npy` file of plain numbers, reading its header and its size alone.

    Args:
        file: The file.
        owner: Name of the data set, or of the function, in errors.
        what: What the file is, in errors: `"the wave"`.
        remedy: What else than a download gives a whole file, in errors.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is cut, pickled, or no array.
    """
    if not file.is_file():
        raise FileNotFoundError(f"{owner}: {what} {file} is missing: download it, or {remedy}.")
    try:
        return np.lib.format.open_memmap(file, mode="r")
    except OSError:
        raise
    except Exception as error:  # whatever a damaged header does to its parser is that file's failure
        raise ValueError(
            f"{owner}: {file} is no whole .npy file of plain numbers ({error}): download it again, or {remedy}. "
            "Pickled files are never loaded."
        ) from error

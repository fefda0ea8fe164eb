"""AVSBench-object: clips of five seconds with the masks of what sounds, in its published layout."""

import glob
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from .avsbench_rows import SECONDS, SegmentedFiles, read_segmented_rows, segmented_files
from .clip import Preprocess
from .mask_png import look_at_png, read_frame_png, read_mask_png
from .published_tables import SPLITS
from .segmented_clip import SegmentedClip, check_setting
from .wav_file import read_wav
from .wave import map_wave, read_wave, resample_segments


class AVSBench(Dataset[SegmentedClip]):
    """One split of AVSBench-object (Zhou et al., *Audio-Visual Segmentation*, ECCV 2022), single or multiple sources.

    ```text
    root/Single-source/s4_meta_data.csv                                   name, start, category, split
    root/Single-source/s4_data/visual_frames/<split>/<category>/<name>/<name>_1.png … _5.png
    root/Single-source/s4_data/gt_masks/<split>/<category>/<name>/<name>_1.png … _5.png     training: _1 alone
    root/Single-source/s4_data/wave/<split>/<category>/<name>.npy         five seconds of mono sound, plain numbers
    root/Single-source/s4_data/audio_wav/<split>/<category>/<name>.wav    read where the former is missing
    root/Multi-sources/ms3_meta_data.csv                                  name, split
    root/Multi-sources/ms3_data/visual_frames/<name>/<name>.mp4_1.png … _5.png
    root/Multi-sources/ms3_data/{gt_masks,wave,audio_wav}/<split>/…       as above, without categories
    ```

    The published `AVS.npy` is a pickle and never read; `python -m crossmodal.data.unpickle_avs` converts it once.
    """

    def __init__(
        self,
        root: str | Path,
        split: str,
        preprocess: Preprocess | None = None,
        *,
        setting: str = "s4",
        wave_rate: int = 32_000,
        mask_size: int = 224,
    ):
        """Reads the table; frames, masks and sounds are read with the items.

        Args:
            root: Folder of the data set.
            split: `"train"`, `"val"` or `"test"`.
            preprocess: Size, rate and normalisation that the model wants; the full size's by default.
            setting: `"s4"` or `"ms3"`.
            wave_rate: Samples per second of `.npy` waves; WAV files say theirs.
            mask_size: Height and width of the masks.

        Raises:
            ValueError: For another split or setting, or a row that does not parse.
            FileNotFoundError: If the table is missing.
        """
        if split not in SPLITS:
            raise ValueError(f"AVSBench: split={split!r} must be one of {', '.join(SPLITS)}.")
        check_setting("AVSBench", setting)
        self.root, self.split, self.setting = Path(root), split, setting
        self.preprocess = preprocess or Preprocess()
        self.wave_rate, self.mask_size = wave_rate, mask_size
        rows = read_segmented_rows(self.root, setting)
        self.classes = tuple(sorted({row.category for row in rows if row.category}))
        self.rows = [row for row in rows if row.split == split]

    @property
    def names(self) -> list[str]:
        """Returns the name of every clip."""
        return [row.name for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> SegmentedClip:
        row, paths = self.rows[index], self._paths(index)
        pictures = [read_frame_png(file) for file in paths.frames]
        if len({picture.shape for picture in pictures}) > 1:
            raise ValueError(f"AVSBench: the frames of {row.name} differ in size: extract them again.")
        clip = self.preprocess(torch.stack(pictures), self._sound(paths))
        masks = torch.zeros(SECONDS, self.mask_size, self.mask_size, dtype=torch.bool)
        supervised = torch.zeros(SECONDS, dtype=torch.bool)
        for second, file in paths.masks.items():
            masks[second], supervised[second] = read_mask_png(file, self.mask_size), True
        label = self.classes.index(row.category) if row.category else len(self.classes)
        return SegmentedClip(*clip, masks, supervised, torch.full((SECONDS,), label))

    def check(self) -> dict[str, list[str]]:
        """Returns name → what this split lacks of it.

        Looks at names, headers and sizes, and decodes no picture.
        """
        found: dict[str, list[str]] = {}
        for index, row in enumerate(self.rows):
            paths = self._paths(index)
            lacking = [*_pictures_lacking(paths), *self._sound_lacking(paths)]
            lacking += [said for some in (paths.frames, [*paths.masks.values()]) if (said := _more_than_read(some))]
            if lacking:
                found[row.name] = lacking
        return found

    def _sound_lacking(self, paths: SegmentedFiles) -> list[str]:
        """Returns what is wrong with the sound of a clip, as far as names, headers and sizes say."""
        if not paths.wave.is_file():
            return [] if paths.wav.is_file() else [_no_sound(paths)]
        try:
            map_wave(paths.wave, SECONDS, self.wave_rate)
        except (OSError, ValueError) as error:
            return [str(error)]
        return []

    def _paths(self, index: int) -> SegmentedFiles:
        return segmented_files(self.root, self.setting, self.rows[index])

    def _sound(self, paths: SegmentedFiles) -> Tensor:
        """Reads the sound of a clip at the rate of the model, `(segment, sample)`."""
        if paths.wave.is_file():
            stored = read_wave(paths.wave, SECONDS, self.wave_rate)
            return resample_segments(stored, self.wave_rate, self.preprocess.rate)
        if not paths.wav.is_file():
            raise FileNotFoundError(_no_sound(paths))
        return read_wav(paths.wav, SECONDS, self.preprocess.rate)


def _pictures_lacking(paths: SegmentedFiles) -> list[str]:
    """Returns what is wrong with the pictures of a clip, as far as names, headers and sizes say."""
    said, sizes = [], set()
    for what, files in (("frame", paths.frames), ("mask", paths.masks.values())):
        for file in files:
            try:
                size = look_at_png(file, what)
            except FileNotFoundError:
                said.append(f"{file} is missing.")
            except (OSError, ValueError) as error:
                said.append(str(error))
            else:
                sizes |= {size} if what == "frame" else set()
    if len(sizes) > 1:
        said.append(f"the frames of {paths.frames[0].parent} differ in size: extract them again.")
    return said


def _more_than_read(files: Sequence[Path]) -> str:
    """Returns a sentence if more seconds lie beside those that are read: they would be of another rate or length."""
    stem = files[0].name.rpartition("_")[0]
    others = [file.name for file in files[0].parent.glob(f"{glob.escape(stem)}_*.png")]
    beyond = [name for name in others if name[len(stem) + 1 : -4].isdecimal() and not _is_second(name, stem)]
    if not beyond:
        return ""
    return (
        f"{files[0].parent} holds {min(beyond)} beside {stem}_1.png to {stem}_{SECONDS}.png, one a second: pictures of "
        "another rate or length would be taken for those of these seconds; extract them again."
    )


def _is_second(name: str, stem: str) -> bool:
    """Returns whether a picture is of one of the seconds of a clip."""
    return 1 <= int(name[len(stem) + 1 : -4]) <= SECONDS


def _no_sound(paths: SegmentedFiles) -> str:
    """Returns the sentence for a clip without sound."""
    said = f"AVSBench: neither {paths.wave} nor {paths.wav} exists."
    if paths.pickled.is_file():
        said += f" {paths.pickled} is a pickle and is never read: python -m crossmodal.data.unpickle_avs converts it."
    return said

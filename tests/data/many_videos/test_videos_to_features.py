"""A folder of video files of every kind, through every command: prepare, fit, test, predict, features."""

import h5py
import numpy as np
import pytest
from commands import SMALL, crossmodal
from film_zoo import SKIPPED, WHOLE, write_broken, write_rows

FEW = tuple(kind for kind in WHOLE if kind.name in {"mpeg4.mp4", "h264.mp4", "divx.avi", "varies.mkv", "vp8.webm"})


@pytest.mark.parametrize("kinds", [FEW, pytest.param(WHOLE, marks=pytest.mark.slow)], ids=["few", "all"])
def test_a_folder_of_videos_through_every_command(tmp_path, kinds):
    if kinds == WHOLE:
        print("not encoded by this PyAV:", *SKIPPED)
        assert len(kinds) >= 30
    (tmp_path / "videos").mkdir()
    for kind in kinds:
        kind.write(tmp_path / "videos")
    broken = write_broken(tmp_path / "videos")
    names = sorted(kind.stem for kind in kinds)
    write_rows(tmp_path / "videos", [*names, "cut"])

    prepared = crossmodal(tmp_path, "ave", "prepare", "videos", "AVE", "--workers", "0")
    assert prepared.code == 3, prepared.err
    every = len(kinds) + len(broken)
    assert prepared.lines[-1] == f"prepared {len(kinds)} of {every}, 5 failed: see AVE/failed.csv"

    small = [word for word in SMALL if not word.startswith(("--data.clips", "--data.held_out"))]  # of the world alone
    fitted = crossmodal(tmp_path, "ave", "fit", "--data.root", "AVE", *small, "--trainer.max_epochs=1")
    assert fitted.code == 0, fitted.err
    tested = crossmodal(tmp_path, "ave", "test")
    assert tested.code == 0, tested.err
    accuracy = [line for line in fitted.lines if line.startswith("test accuracy")]
    assert accuracy == [line for line in tested.lines if line.startswith("test accuracy")]

    seen = crossmodal(tmp_path, "ave", "predict", tmp_path / "videos" / kinds[0].name)
    assert seen.code == 0, seen.err
    assert len([line for line in seen.lines if " s  " in line]) == 10

    # the media as they are, and as they were prepared: 7.5 s are enough for the one, not for the other
    assert rows(tmp_path, "videos", 3) == sorted(
        [(kind.stem, second) for kind in kinds for second in range(int(kind.seconds + 0.05))]
        + [("short", second) for second in range(7)]
    )
    assert rows(tmp_path, "AVE", 0) == [(name, second) for name in names for second in range(10)]
    failed = (tmp_path / "videos.failed.csv").read_text()
    assert all(f"{name}," in failed for name in broken if name != "short.mp4")


def rows(folder, clips, code):
    said = crossmodal(folder, "ave", "features", clips, f"{clips}.h5", "--workers", "0")
    assert said.code == code, said.err
    with h5py.File(folder / f"{clips}.h5") as opened:
        for stream in ("visual", "audio"):
            assert np.isfinite(opened[stream][:]).all()
            assert len(opened[stream]) == len(opened["clip"])
        return list(zip(opened["clip"].asstr()[:].tolist(), opened["segment"][:].tolist(), strict=True))

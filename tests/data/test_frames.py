"""Folders of numbered JPEGs."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from crossmodal.data.frames import frame_files, read_frames, read_jpeg


def write_frame(folder, number, *, height=8, width=12, mode="RGB", **options):
    pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
    file = folder / f"{number:08d}.jpg"
    Image.fromarray(pixels).convert(mode).save(file, **options)
    return file


def touch_frames(folder, numbers):
    for number in numbers:
        (folder / f"{number:08d}.jpg").touch()
    return folder


@given(frames=st.integers(1, 200), count=st.integers(1, 12))
def test_sampling_is_the_truncated_linspace(tmp_path_factory, frames, count):
    folder = touch_frames(tmp_path_factory.mktemp("frames"), range(1, frames + 1))
    wanted = np.linspace(1, frames, count).astype(int)
    assert [int(file.stem) for file in frame_files(folder, count)] == wanted.tolist()


def test_other_files_of_the_folder_are_no_frames(tmp_path):
    touch_frames(tmp_path, range(1, 4))
    for name in (".DS_Store", "._00000001.jpg", "Thumbs.db", "00000004.png"):
        (tmp_path / name).touch()
    assert frame_files(tmp_path, 2)[-1].name == "00000003.jpg"


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the folder .*clip is missing: extract"):
        frame_files(tmp_path / "clip", 10)


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no frame named 00000001\.jpg"):
        frame_files(tmp_path, 10)


@pytest.mark.parametrize(("present", "missing"), [([1, 2, 4, 7], 3), ([2, 3], 1)])
def test_a_gap_is_named_by_its_first_number(tmp_path, present, missing):
    with pytest.raises(
        FileNotFoundError, match=rf"holds {len(present)} frames .* missing, the first 0000000{missing}\.jpg"
    ):
        frame_files(touch_frames(tmp_path, present), 10)


@pytest.mark.filterwarnings("ignore:The image decoding and encoding capabilities:DeprecationWarning")
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("progressive", [False, True])
def test_pixels_are_those_of_torchvisions_decoder(tmp_path, mode, progressive):
    from torchvision.io import decode_jpeg

    file = write_frame(tmp_path, 1, height=33, width=50, mode=mode, progressive=progressive)
    content = torch.frombuffer(bytearray(file.read_bytes()), dtype=torch.uint8)
    torch.testing.assert_close(read_jpeg(file), decode_jpeg(content).expand(3, -1, -1), rtol=0, atol=0)


@given(cut=st.integers(0, 99))
def test_a_jpeg_cut_anywhere_is_no_grey_picture(tmp_path_factory, cut):
    file = write_frame(tmp_path_factory.mktemp("frames"), 1, height=32, width=32)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * cut // 100])
    with pytest.raises(ValueError, match=r"00000001\.jpg is (cut|no readable JPEG).* [Ee]xtract it again"):
        read_jpeg(file)


def test_a_jpeg_cut_in_half_names_what_it_lacks(tmp_path):
    file = write_frame(tmp_path, 1, height=64, width=64)
    half = file.read_bytes()[: file.stat().st_size // 2]
    for content in (half, half + bytes(len(half))):  # a download that stopped may be filled up with zeros
        file.write_bytes(content)
        with pytest.raises(ValueError, match=rf"00000001\.jpg is cut: its {len(content)} bytes lack the end marker"):
            read_jpeg(file)


def test_a_thumbnail_is_no_end_of_its_picture(tmp_path):
    thumbnail = io.BytesIO()
    Image.new("RGB", (4, 4)).save(thumbnail, "JPEG")
    file = write_frame(tmp_path, 1, height=64, width=64, comment=thumbnail.getvalue())
    assert read_jpeg(file).shape == (3, 64, 64)
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(ValueError, match="is cut"):
        read_jpeg(file)


def test_another_format_under_the_name_is_named(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "00000001.jpg", "PNG")
    with pytest.raises(ValueError, match=r"00000001\.jpg is no readable JPEG .* extract it again"):
        read_jpeg(tmp_path / "00000001.jpg")


def test_a_missing_frame_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the frame .*00000007\.jpg is missing"):
        read_jpeg(tmp_path / "00000007.jpg")


def test_frames_of_two_sizes_are_named(tmp_path):
    files = [write_frame(tmp_path, 1, width=12), write_frame(tmp_path, 2, width=10)]
    with pytest.raises(ValueError, match=r"00000002\.jpg is 10 × 8 pixels, but 00000001\.jpg .* is 12 × 8"):
        read_frames(files)


UPRIGHT = {
    1: lambda held: held,
    2: np.fliplr,
    3: lambda held: np.rot90(held, 2),
    4: np.flipud,
    5: lambda held: held.transpose(1, 0, 2),
    6: lambda held: np.rot90(held, -1),
    7: lambda held: np.rot90(held, 2).transpose(1, 0, 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_picture_is_upright_however_the_camera_was_held(orientation, tmp_path):
    corners = np.zeros((16, 32, 3), dtype=np.uint8)
    corners[:8, :16, 0] = corners[8:, 16:, 1] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(corners).save(tmp_path / "held.jpg", exif=exif, quality=95)
    found = read_jpeg(tmp_path / "held.jpg").permute(1, 2, 0).numpy() > 127
    np.testing.assert_array_equal(found, UPRIGHT[orientation](corners) > 127)

"""AVSBench's layout: read right, whatever a mask's mode, values and size are, or refused in a sentence."""

import pickle
import re
from fractions import Fraction

import avs_folder
import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from crossmodal.data import Preprocess
from crossmodal.data.avsbench import AVSBench
from crossmodal.data.mask_png import read_frame_png, read_mask_png
from crossmodal.data.segmentation_sources import AVSBenchSource
from crossmodal.data.unpickle_avs import main as unpickle_avs
from crossmodal.data.wav_file import read_wav

SMALL = Preprocess(32, avs_folder.RATE)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Both parts of the data set."""
    return avs_folder.write_ms3(avs_folder.write_s4(tmp_path_factory.mktemp("AVSBench")))


def split(root, name, setting="s4", **options):
    return AVSBench(root, name, SMALL, setting=setting, wave_rate=avs_folder.RATE, mask_size=48, **options)


def test_training_clips_of_s4_know_one_mask(root):
    train, test = split(root, "train"), split(root, "test")
    assert train.names == ["one", "two"]
    assert test.classes == ("cat", "dog")
    item = train[0]
    assert item.frames.shape == (5, 3, 32, 32)
    assert item.wave.shape == (5, avs_folder.RATE)
    assert item.supervised.tolist() == [True, False, False, False, False]
    assert item.labels.tolist() == [1] * 5
    held_out = test[0]
    assert held_out.supervised.all()
    for second in range(5):
        assert torch.equal(held_out.masks[second], torch.from_numpy(avs_folder.square(second) > 0))


def test_ms3_has_every_mask_and_no_category(root):
    item = split(root, "train", "ms3")[0]
    assert item.supervised.all()
    assert item.labels.tolist() == [0] * 5
    assert torch.equal(item.masks[4], torch.from_numpy(avs_folder.square(4) > 0))
    assert item.wave.abs().max() > 0.1


def test_source_looks_before_it_trains(root, tmp_path):
    source = AVSBenchSource(root, setting="ms3")
    source.check()
    assert source.ready() == ["ms3: 1 train, 1 val, 1 test"]
    broken = avs_folder.write_ms3(tmp_path / "broken")
    next(broken.rglob("many_3_2.png")).unlink()
    next(broken.rglob("many_2.wav")).unlink()
    with pytest.raises(ValueError, match=r"lacks something of 2 clips \(1 val, 1 test\).*neither .*many_2\.npy nor"):
        AVSBenchSource(broken, setting="ms3").check()
    with pytest.raises(FileNotFoundError, match=r"the mask .*many_3_2\.png is missing"):
        split(broken, "test", "ms3")[0]


MODES = {
    "1": lambda mask: Image.fromarray(mask).convert("1"),
    "L": Image.fromarray,
    "L01": lambda mask: Image.fromarray(mask // 255),
    "P": lambda mask: Image.fromarray(mask // 255).convert("P"),
    "P, white first": lambda mask: palette(1 - mask // 255, (255,) * 3, (0,) * 3),
    "P, by a program": lambda mask: Image.fromarray(mask).convert("RGB").quantize(2),
    "RGB": lambda mask: Image.fromarray(np.stack([mask, 0 * mask, 0 * mask], axis=2)),
    "RGBA": lambda mask: Image.fromarray(np.stack([*[np.full_like(mask, 255)] * 3, mask], axis=2)),
    "RGBA, black": lambda mask: Image.fromarray(np.stack([*[np.zeros_like(mask)] * 3, mask], axis=2)),
}


@pytest.mark.parametrize("mode", MODES)
def test_masks_of_every_mode_say_the_same(mode, tmp_path):
    mask = avs_folder.square(2, 20)
    MODES[mode](mask).save(tmp_path / "mask.png")
    inside = torch.from_numpy(mask > 0)
    assert torch.equal(read_mask_png(tmp_path / "mask.png", 20), inside)
    # twice and half as large: the nearest pixels
    assert torch.equal(read_mask_png(tmp_path / "mask.png", 40), inside.repeat_interleave(2, 0).repeat_interleave(2, 1))
    assert torch.equal(read_mask_png(tmp_path / "mask.png", 10), inside[::2, ::2])


def test_what_is_no_mask_is_named(tmp_path):
    file = tmp_path / "mask.png"
    Image.fromarray(np.zeros((4, 4), dtype=np.uint8)).save(file)
    assert not read_mask_png(file, 4).any()
    Image.fromarray(np.zeros((4, 4), dtype=np.uint16)).save(file)
    with pytest.raises(ValueError, match=r"mask\.png has the mode 'I(;16)?', expected one of 1, L, P, RGB, RGBA"):
        read_mask_png(file, 4)
    file.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"mask\.png is no readable PNG"):
        read_mask_png(file, 4)


def palette(values, *colours):
    """A picture of a palette."""
    picture = Image.fromarray(values).convert("P")
    picture.putpalette([part for colour in colours for part in colour])
    return picture


def test_objects_of_any_number_belong_to_a_mask_of_many_colours(tmp_path):
    values = np.uint8([[0, 1, 2, 3], [0, 0, 0, 3]])
    file, colours = tmp_path / "mask.png", [(0, 0, 0), (128, 0, 0), (0, 128, 0), (0, 0, 64)]
    palette(values, *colours).save(file)
    assert torch.equal(read_mask_png(file, 4)[::2], torch.from_numpy(values > 0))
    palette(3 - values, *colours[::-1]).save(file)
    assert torch.equal(read_mask_png(file, 4)[::2], torch.from_numpy(values > 0))
    # greys are amounts, in whatever order their palette has them
    palette(values, (0,) * 3, (255,) * 3, (100,) * 3, (200,) * 3).save(file)
    assert torch.equal(read_mask_png(file, 4)[::2], torch.from_numpy(np.isin(values, [1, 3])))
    Image.fromarray(values * 85).save(file)  # a smooth edge
    assert torch.equal(read_mask_png(file, 4)[::2], torch.from_numpy(values > 1))
    Image.fromarray(values).save(file)
    with pytest.raises(ValueError, match=r"mask\.png holds grey values of 0 to 3, more than two .* number objects"):
        read_mask_png(file, 4)


HUES = st.tuples(*[st.integers(0, 255)] * 3).filter(lambda colour: max(colour) > 20)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@given(colours=st.lists(HUES, min_size=2, max_size=4, unique=True), data=st.data())
def test_colours_without_a_palette_say_what_those_of_one_do(tmp_path_factory, mode, colours, data):
    hues = [tuple(Fraction(channel, sum(colour)) for channel in colour) for colour in colours]
    assume(len(set(hues)) > 1 and max(abs(a - b) for a, b in zip(*hues[:2], strict=True)) > 0.2)
    values = np.uint8(data.draw(st.lists(st.integers(0, len(colours)), min_size=16, max_size=16))).reshape(4, 4)
    values[0] = [0, 1, 2, 1]
    file, picture = tmp_path_factory.mktemp("mask") / "mask.png", palette(values, (0, 0, 0), *colours)
    picture.convert(mode).save(file)
    assert torch.equal(read_mask_png(file, 4), torch.from_numpy(values > 0))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
@given(hue=HUES, shades=st.lists(st.integers(0, 255), min_size=16, max_size=16))
def test_shades_of_one_colour_are_a_smooth_edge_in_every_mode(tmp_path_factory, mode, hue, shades):
    amounts = np.float64(shades).reshape(4, 4) / 255
    amounts[0, :3] = 0, 1, 0.3
    pixels = np.uint8(np.round(amounts[..., None] * ((255,) * 3 if mode == "L" else hue)))
    file = tmp_path_factory.mktemp("mask") / "mask.png"
    Image.fromarray(pixels).convert(mode).save(file)
    values = pixels.max(axis=2)
    greys = len(set(hue)) == 1 and mode != "L"
    if greys and max(hue) < 128 and len(np.unique(values)) > 2:
        with pytest.raises(ValueError, match=r"holds grey values of 0 to \d+, more than two of them"):
            read_mask_png(file, 4)
    else:
        assert torch.equal(read_mask_png(file, 4), torch.from_numpy(values > values.max() / 2))


VOC = ((0, 0, 0), (128, 0, 0), (0, 128, 0), *[(0, 0, 0)] * 252, (224, 224, 192))
NUMBERED = {
    "L": Image.fromarray,
    "RGB": lambda values: Image.fromarray(values).convert("RGB"),
    "P": lambda values: palette(values, *VOC),
    "RGB of P": lambda values: palette(values, *VOC).convert("RGB"),
}


@pytest.mark.parametrize("mode", NUMBERED)
@pytest.mark.parametrize("classes", [(0, 1), (0, 2, 1)])
def test_numbered_classes_beside_ignored_pixels_are_no_mask(mode, classes, tmp_path):
    values = np.zeros((12, 12), np.uint8)
    for left, number in zip((0, 6), classes[1:], strict=False):
        values[1:6, left : left + 5] = 255
        values[2:5, left + 1 : left + 4] = number
    NUMBERED[mode](values).save(tmp_path / "mask.png")
    with pytest.raises(ValueError, match=r"numbers classes and marks ignored pixels with 255.*save what sounds as 255"):
        read_mask_png(tmp_path / "mask.png", 12)


def test_a_smooth_edge_of_few_dark_values_is_no_class(tmp_path):
    values = np.zeros((12, 12), np.uint8)
    values[3:9, 3:9], values[4:8, 4:8] = 16, 255
    Image.fromarray(values).save(tmp_path / "mask.png")
    assert torch.equal(read_mask_png(tmp_path / "mask.png", 12), torch.from_numpy(values == 255))


BRIGHT = {
    "grey and white": ((128,) * 3, (255,) * 3),
    "colour and white": ((255, 0, 0), (255,) * 3),
    "two colours": ((255, 0, 0), (0, 255, 0)),
}


@pytest.mark.parametrize("colours", BRIGHT.values(), ids=BRIGHT)
def test_a_mask_without_anything_dark_is_named(colours, tmp_path):
    pixels, file = np.uint8(colours)[np.arange(16).reshape(4, 4) % 2], tmp_path / "mask.png"
    Image.fromarray(pixels).save(file)
    with pytest.raises(ValueError, match=r"mask\.png holds nothing dark, but .*save what sounds as 255"):
        read_mask_png(file, 4)
    for same in (colours[:1] * 2, ((250,) * 3, (255,) * 3)):  # an object as large as the picture, compressed or not
        Image.fromarray(np.uint8(same)[np.arange(16).reshape(4, 4) % 2]).save(file)
        assert read_mask_png(file, 4).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_in_a_frame_shows_no_colour(mode, tmp_path):
    pixels = np.full((4, 4, 4), 200, np.uint8)
    pixels[..., 3], pixels[2:, :, 3] = 255, 0
    picture = Image.fromarray(pixels)
    if mode == "P":
        palette(np.uint8(pixels[..., 3] == 0), (200,) * 3, (200,) * 3).save(tmp_path / "frame.png", transparency=1)
    else:
        picture.convert(mode).save(tmp_path / "frame.png")
    expected = torch.full((3, 4, 4), 200, dtype=torch.uint8)
    expected[:, 2:] = 0
    assert torch.equal(read_frame_png(tmp_path / "frame.png"), expected)


def test_a_frame_of_16_bits_is_named_and_not_all_white(tmp_path):
    Image.fromarray(np.full((4, 4), 30_000, dtype=np.uint16)).save(tmp_path / "frame.png")
    with pytest.raises(ValueError, match=r"frame\.png has the mode 'I(;16)?': save it as an 8-bit PNG"):
        read_frame_png(tmp_path / "frame.png")


DAMAGES = {
    "a mask of 16 bits": ("many_3_2.png", lambda file: grey(file, np.uint16), r"the mask .* has 16 bits of grey"),
    "a frame of 16 bits": ("many_3.mp4_2.png", lambda file: grey(file, np.uint16), r"the frame .* has 16 bits of grey"),
    "a frame of another size": ("many_3.mp4_2.png", lambda file: grey(file, np.uint8), r"many_3 differ in size"),
    "a cut mask": ("many_3_2.png", lambda file: cut(file, 60), r"many_3_2\.png is no readable PNG"),
    "a cut frame": ("many_3.mp4_2.png", lambda file: cut(file, 20), r"many_3\.mp4_2\.png is no readable PNG"),
    "no picture": ("many_3_2.png", lambda file: file.write_text("<html>"), r"many_3_2\.png is no readable PNG"),
}


def grey(file, dtype):
    Image.fromarray(np.zeros((5, 7), dtype)).save(file)


def cut(file, size):
    file.write_bytes(file.read_bytes()[:size])


@pytest.mark.parametrize(("name", "damage", "reason"), DAMAGES.values(), ids=DAMAGES)
def test_what_cannot_be_read_is_told_before_a_training(name, damage, reason, tmp_path):
    root = avs_folder.write_ms3(tmp_path)
    (file,) = root.rglob(name)
    damage(file)
    ((clip, said),) = split(root, "test", "ms3").check().items()
    assert (clip, len(said)) == ("many_3", 1)
    assert re.search(reason, said[0])
    with pytest.raises(ValueError):  # noqa: PT011 (in whatever words)
        split(root, "test", "ms3")[0]


def test_bytes_behind_the_end_of_a_png_are_no_fault(tmp_path):
    root = avs_folder.write_ms3(tmp_path)
    for file in root.rglob("*.png"):
        file.write_bytes(file.read_bytes() + bytes(5000))
    assert split(root, "test", "ms3").check() == {}


def test_a_stored_wave_of_another_length_is_told_before_a_training(tmp_path):
    root = avs_folder.write_ms3(tmp_path)
    (sound,) = root.rglob("many_3.wav")
    wave = sound.parents[2] / "wave" / "test" / "many_3.npy"
    wave.parent.mkdir(parents=True, exist_ok=True)
    np.save(wave, np.zeros(7, np.float32))
    assert "read_wave" in split(root, "test", "ms3").check()["many_3"][0]


@pytest.mark.parametrize("number", [0, 6, 40])
def test_pictures_of_another_rate_are_not_taken_for_seconds(root, number):
    for folder, modal in (("visual_frames/test/cat/four", "four"), ("gt_masks/test/cat/four", "four")):
        place = root / "Single-source" / "s4_data" / folder
        more = place / f"{modal}_{number}.png"
        more.write_bytes((place / f"{modal}_1.png").read_bytes())
        (place / f"{modal}_notes.png").touch()
        assert split(root, "test").check() == {
            "four": [
                f"{place} holds four_{number}.png beside four_1.png to four_5.png, one a second: pictures of another "
                "rate or length would be taken for those of these seconds; extract them again."
            ]
        }
        more.unlink()
    assert split(root, "test").check() == {}


@pytest.mark.parametrize(("seconds", "rate", "channels"), [(5, 16_000, 1), (5.05, 8_000, 2), (4.95, 44_100, 1)])
def test_sounds_of_any_rate(seconds, rate, channels, tmp_path):
    avs_folder.write_wav(tmp_path / "a.wav", seconds, rate, channels)
    wave = read_wav(tmp_path / "a.wav", 5, 16_000)
    assert wave.shape == (5, 16_000)
    assert wave[:4].abs().max() > 0.05


def test_sounds_of_another_length_or_kind_are_named(root, tmp_path):
    avs_folder.write_wav(tmp_path / "a.wav", 3)
    with pytest.raises(ValueError, match=r"a\.wav lasts 3\.00 s, expected 5 s"):
        read_wav(tmp_path / "a.wav", 5, 16_000)
    avs_folder.write_wav(tmp_path / "b.wav", 5, width=1)
    with pytest.raises(ValueError, match=r"b\.wav has samples of 8 bits, expected 16 or 32"):
        read_wav(tmp_path / "b.wav", 5, 16_000)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[24:28] = bytes(4)  # its rate
    (tmp_path / "d.wav").write_bytes(content)
    with pytest.raises(ValueError, match=r"d\.wav says that it has 0 samples a second: extract it again"):
        read_wav(tmp_path / "d.wav", 5, 16_000)
    (tmp_path / "c.wav").write_bytes(b"no sound")
    with pytest.raises(ValueError, match=r"c\.wav is no WAV file of PCM"):
        read_wav(tmp_path / "c.wav", 5, 16_000)
    with pytest.raises(ValueError, match="expected 5 segments of rate=32000"):
        AVSBench(root, "train", SMALL)[0]


def test_pickled_waves_are_converted_by_a_command_that_warns(tmp_path, capsys):
    root = avs_folder.write_s4(tmp_path / "data")
    file = next(root.rglob("four.npy"))
    pickled = file.with_name("AVS.npy")
    samples = np.load(file).reshape(5, -1)
    np.save(pickled, {"four.wav": samples, "../../five.wav": samples}, allow_pickle=True)
    file.unlink()
    with pytest.raises(FileNotFoundError, match=r"AVS\.npy is a pickle and is never read: python -m .*unpickle_avs"):
        split(root, "test")[0]
    assert unpickle_avs([str(root)]) == 1
    assert "nothing was read: add --i-trust-these-files" in capsys.readouterr().err
    assert unpickle_avs([str(root), "--i-trust-these-files"]) == 0
    said = capsys.readouterr()
    assert "EXECUTES WHATEVER THE FILE SAYS" in said.err
    assert "2 waves written beside it" in said.out
    assert split(root, "test")[0].wave.flatten().tolist() == samples.flatten().tolist()
    assert (file.parent / "five.npy").is_file()  # a name in a pickle leads nowhere else
    pickled.write_bytes(pickle.dumps([1]))
    assert unpickle_avs([str(root), "--i-trust-these-files"]) == 1


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("a,0,dog,train\na,0,dog,val\n", r"row 2 \('a'\): it stands twice"),
        ("name,start,category,split\na,0,dog,dev\n", r"row 2 \('a'\): split 'dev' is none of train, val, test"),
        ("a,0,dog\n", r"row 1 has 3 columns, expected 4 or more"),
    ],
)
def test_rows_that_do_not_parse_are_named(table, said, tmp_path):
    (tmp_path / "Single-source").mkdir()
    (tmp_path / "Single-source" / "s4_meta_data.csv").write_text(table)
    with pytest.raises(ValueError, match=said):
        AVSBench(tmp_path, "train")


def test_other_folders_settings_and_splits_are_named(root, tmp_path):
    with pytest.raises(FileNotFoundError, match="must hold the folder Multi-sources/"):
        AVSBench(tmp_path, "train", setting="ms3")
    with pytest.raises(ValueError, match="setting='v2' must be one of 's4', 'ms3'"):
        AVSBench(root, "train", setting="v2")
    with pytest.raises(ValueError, match="split='dev' must be one of train, val, test"):
        AVSBench(root, "dev")

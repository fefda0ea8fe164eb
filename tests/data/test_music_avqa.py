"""MUSIC-AVQA's layout is read as published, in both versions; what cannot be read is named."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from music_folder import ROWS, VIDEOS, entry, published_rows, write_features, write_media, write_questions

from crossmodal.data import Preprocess
from crossmodal.data.asking_sources import MusicAVQAFeatureSource, MusicAVQASource
from crossmodal.data.music_avqa import (
    MusicAVQA,
    MusicAVQAFeatures,
    others_as_released,
    others_of_other_videos,
)
from crossmodal.data.music_avqa_rows import read_questions
from crossmodal.data.music_avqa_vocabulary import MUSIC_AVQA
from crossmodal.data.questions import build_vocabulary, question_words, typed_question, written_question
from crossmodal.data.source import EpochIndex
from crossmodal.data.vocabulary import Vocabulary, as_text, from_text
from crossmodal.metrics.answers import QUESTION_KINDS
from crossmodal.training.data_module import DataModule

SMALL = Preprocess(size=16, rate=16_000)


@pytest.fixture
def root(tmp_path):
    return write_media(write_questions(tmp_path))


def rewritten(root, split, at, version="json", **changed):
    """The file of a split with some keys of one entry changed, or left out where `None`."""
    file = root / version / f"avqa-{split}.json"
    entries = json.loads(file.read_text())
    entries[at] = {key: value for key, value in {**entries[at], **changed}.items() if value is not None}
    file.write_text(json.dumps(entries))


def test_items_and_their_vocabulary(root):
    train = MusicAVQA(root, "train", SMALL, wave_rate=16_000)
    assert train.classes == ("two", "one", "yes", "left")
    assert train.classes.words[:6] == ("<pad>", "How", "many", "instruments", "are", "sounding")
    item = train[1]
    assert item.frames.shape == item.others.shape == (10, 3, 16, 16)
    assert item.wave.shape == (10, 16_000)
    assert written_question(item.question, train.classes) == "How many sounding cello in the video?"
    assert (train.classes[item.answer], QUESTION_KINDS[item.kind]) == ("one", ("Audio-Visual", "Counting"))
    test = MusicAVQA(root, "test", SMALL, wave_rate=16_000)
    assert [written_question(ids, test.classes) for ids in test.ids] == [
        "Is there a cello in the video?",
        "Where is the instrument?",
    ]
    assert not test.check()


def test_frames_of_other_videos_follow_from_seed_question_and_epoch(root):
    def drawn(epoch, seed=0, question=1):
        return MusicAVQA(root, "train", SMALL, wave_rate=16_000, seed=seed)[EpochIndex(question, epoch)].others

    first, again = MusicAVQA(root, "train", SMALL, wave_rate=16_000)[1].others, drawn(0)
    assert torch.equal(first, again)  # as outside training, where they are the same whenever they are read
    assert torch.equal(drawn(3), drawn(3))
    assert not any(torch.equal(other, again) for other in (drawn(1), drawn(2), drawn(0, seed=1)))


def test_other_frames_are_those_of_the_epoch_whatever_reads_ahead_and_wherever_a_run_goes_on(root):
    def others(workers, epoch, behind=0):
        data = DataModule(MusicAVQASource(root, batch_size=1, wave_rate=16_000, workers=workers))
        data.source.preprocess = SMALL
        data.go_on(epoch, behind)
        return [batch.others for batch in data.train_dataloader()]

    whole = others(0, 1)
    assert all(map(torch.equal, others(1, 1, behind=1), whole[1:]))
    assert not all(map(torch.equal, others(0, 2), whole))


def test_corrected_questions_keep_the_first_vocabulary(root):
    changed = {**ROWS, "train": ROWS["train"][::-1]}
    write_questions(root, version="json_update", rows=changed)
    updated = MusicAVQA(root, "train", SMALL, version="json_update", wave_rate=16_000)
    assert updated.classes == MusicAVQA(root, "train", SMALL).classes
    assert [question.number for question in updated.questions] == [4, 3, 2, 1]
    source = MusicAVQASource(root, version="json_update", wave_rate=16_000)
    assert len(source.for_grounding().split("train")) == 1
    assert "json_update" in source.describe()


def test_ids_that_stand_twice_are_told_and_kept(root):
    rewritten(root, "test", 1, question_id=6, video_id=VIDEOS[2])
    test = MusicAVQA(root, "test", SMALL)
    assert test.names == [f"{VIDEOS[2]}-6", f"{VIDEOS[2]}-6#2"]
    assert test.remarks() == ["1 question ids of test stand twice, the first 6: all are kept"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"templ_values": "[]"},
            r"entry 1 .question 2.* has 1 placeholders, but templ_values holds 0",
        ),
        ({"templ_values": '["a", "b"]'}, "has 1 placeholders, but templ_values holds 2"),
        ({"type": '["Smell", "Counting"]'}, "is none of the kinds"),
        ({"anser": None}, "entry 1 lacks 'anser'"),
        ({"question_content": " ".join(["very"] * 15), "templ_values": "[]"}, "has 15 words, but at most 14 are read"),
        ({"templ_values": "cello"}, "cannot be read"),
    ],
)
def test_entries_that_cannot_be_read_are_named(root, changed, said):
    rewritten(root, "train", 1, **changed)
    with pytest.raises(ValueError, match=said):
        MusicAVQA(root, "train")


def test_unknown_words_and_answers(root):
    write_questions(root, version="json_update")
    rewritten(root, "train", 0, "json_update", question_content="How many instrumental are sounding?")
    with pytest.raises(ValueError, match=r"question 1: 'instrumental' is none of the .* words .*, perhaps 'instrument"):
        MusicAVQA(root, "train", version="json_update")
    rewritten(root, "train", 0, "json_update", question_content="How many instruments?", anser="harp")
    with pytest.raises(ValueError, match="the answer of 00000001-1 is none of the 4 answers"):
        MusicAVQA(root, "train", version="json_update")
    rewritten(root, "test", 1, anser="harp")
    test = MusicAVQA(root, "test", SMALL, wave_rate=16_000)
    assert test[1].answer == 4
    assert "1 questions of test have an answer that training does not know" in test.remarks()[0]
    assert MusicAVQASource(root).facts() == {"unknown_answers": {"val": 0, "test": 1}}


def test_files_that_are_missing(root):
    for file in (root / "frames" / VIDEOS[3]).iterdir():
        file.unlink()
    (root / "audio_wave" / f"{VIDEOS[2]}.npy").unlink()
    found = MusicAVQA(root, "test", SMALL, wave_rate=16_000).check()
    assert [*found] == [f"{VIDEOS[2]}-6", f"{VIDEOS[3]}-7"]
    assert "the wave" in found[f"{VIDEOS[2]}-6"][0]
    (root / "json" / "avqa-val.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"avqa-val.json is missing: copy the released file"):
        MusicAVQA(root, "val")
    (root / "json" / "avqa-test.json").write_text("{")
    with pytest.raises(ValueError, match="is no JSON"):
        MusicAVQA(root, "test")
    with pytest.raises(ValueError, match="MusicAVQA: seed=-1 must be at least 0"):
        MusicAVQA(root, "train", seed=-1)
    for name, value in {"split": "dev", "version": "json_old", "subset": "made"}.items():
        with pytest.raises(ValueError, match=f"MusicAVQA: {name}='{value}' must be one of"):
            MusicAVQA(root, **{"split": "train", name: value})


def test_published_features(root):
    source = MusicAVQAFeatureSource(write_features(root))
    item = source.split("train")[0]
    stored = np.load(root / "feats" / "res18_14x14" / f"{VIDEOS[0]}.npy")
    assert item.frames.shape == (10, 196, 512)
    assert torch.equal(item.frames[3, 17], torch.from_numpy(stored[18].reshape(512, 196)[:, 17].copy()))
    assert item.wave.shape == (10, 128)
    np.save(root / "feats" / "vggish" / f"{VIDEOS[0]}.npy", np.zeros((60, 64), np.float32))
    (root / "feats" / "res18_14x14" / f"{VIDEOS[1]}.npy").unlink()
    problems = source.split("train").check()
    assert "expected floats of shape (60, 128)" in problems[f"{VIDEOS[0]}-1"][0]
    assert f"{VIDEOS[1]}.npy is missing: download it" in problems[f"{VIDEOS[1]}-3"][0]
    assert len(source.for_grounding().split("train")) == 1


def test_frames_of_other_videos():
    rng = np.random.default_rng(0)
    drawn = [pair for _ in range(50) for pair in others_of_other_videos(rng, 3, 12)]
    assert {video for video, _ in drawn} == {*range(12)} - {3}
    assert {segment for _, segment in drawn} == {*range(10)}
    released = [pair for _ in range(50) for pair in others_as_released(rng, 1, 20)]
    assert {video for video, _ in released} == {*range(6)} | {*range(12, 20)}  # the own one, and not six others


def test_published_vocabulary(tmp_path):
    write_questions(tmp_path, rows={**ROWS, "train": published_rows()})
    assert as_text(MusicAVQA(tmp_path, "train").classes) == as_text(MUSIC_AVQA)
    assert (len(MUSIC_AVQA), len(MUSIC_AVQA.words)) == (42, 93)
    rebuilt = build_vocabulary([(question_words("Is <Object> there？", ["cello"]), "yes"), (("Is",), "no")])
    assert (rebuilt, rebuilt.words) == (("yes", "no"), ("<pad>", "Is", "cello", "there"))
    assert from_text(as_text(rebuilt)).words == rebuilt.words
    assert from_text(as_text(("a", "b"))) == ["a", "b"]
    with pytest.raises(ValueError, match="labels holds 'a' twice"):
        Vocabulary(["a", "a"], ["<pad>"])


def test_questions_that_are_typed(caplog):
    assert written_question(typed_question("how many Instruments are sounding", MUSIC_AVQA), MUSIC_AVQA) == (
        "How many instruments are sounding?"
    )
    assert not caplog.records
    asked = written_question(typed_question("Where is the trumpett zzz?", MUSIC_AVQA), MUSIC_AVQA)
    assert asked == "Where is the trumpet?"
    read = [record.getMessage().rpartition(": ")[2] for record in caplog.records]
    assert read == ["it is read as 'trumpet'.", "it is read as nothing."]
    with pytest.raises(ValueError, match="the question '' has 0 words"):
        typed_question("", MUSIC_AVQA)
    assert entry(ROWS["val"][0])["anser"] == "two"


WRITTEN = {
    "type": ["Audio-Visual", "Counting"],  # a list where the published files write one as text
    "templ_values": ["cello"],
    "anser": " one\u200b ",
    "question_content": "How  many\u00a0sounding\n<Object> in the video",
    "video_id": f"{VIDEOS[0]} ",
    "question_id": "2",
}


@pytest.mark.parametrize("key", WRITTEN)
def test_another_way_of_writing_reads_as_the_published_one(root, key):
    published = read_questions(root / "json" / "avqa-train.json")
    rewritten(root, "train", 1, **{key: WRITTEN[key]})
    assert read_questions(root / "json" / "avqa-train.json") == published


@given(
    st.lists(st.text("abcé<>", min_size=1), min_size=1, max_size=9), st.sampled_from(["?", "？", " ?", "??", "", "\n"])
)
def test_words_do_not_depend_on_marks_and_blanks(words, end):
    values = [f"v{at}" for at, word in enumerate(words) if "<" in word]
    plain = question_words(" ".join(words) + "?", values)
    assert question_words(f" {'  '.join(words)}{end}", values) == plain
    assert [found for found, word in zip(plain, words, strict=True) if "<" not in word] == [
        word for word in words if "<" not in word
    ]


UNREADABLE = {
    "templ_values": [[1], '["a", ["b"]]', '{"cello": 1}', '"c"', None, "null"],
    "anser": [None, True, float("nan"), float("inf"), ["one"], "", " ", "\ud800", "a\0"],
    "video_id": [None, float("nan"), float("-inf"), "../up", "a/b", ".."],
    "question_id": [2.5, True, float("inf"), None, "x", "1_0", ""],
    "question_content": [None, float("nan"), "", "?", ["How"]],
    "type": [None, 3, ["Counting"]],
}


@pytest.mark.parametrize("key", UNREADABLE)
def test_what_is_no_entry_is_named_and_nothing_is_made_of_it(root, key):
    file = root / "json" / "avqa-train.json"
    entries = json.loads(file.read_text())
    for value in UNREADABLE[key]:
        file.write_text(json.dumps([entries[0], {**entries[1], key: value}]))
        with pytest.raises(ValueError, match=r"avqa-train\.json, entry 1 \(question .* cannot be read: "):
            read_questions(file)


@given(st.integers(-(2**50), 2**50), st.booleans())
def test_a_number_is_the_same_answer_whether_a_table_made_it_a_float(tmp_path_factory, number, whole):
    given = number if whole else number + 0.5
    file = tmp_path_factory.getbasetemp() / "numbers.json"
    row = entry(ROWS["train"][0])
    file.write_text(json.dumps([{**row, "anser": given}, {**row, "anser": float(given)}]))
    first, second = read_questions(file)
    assert first.answer == second.answer == (str(number) if float(given).is_integer() else str(given))


@pytest.mark.parametrize(
    ("mark", "deleted"),
    [
        *((mark, False) for mark in (0, False, None, float("nan"), "false", "False ", "0", "")),
        *((mark, True) for mark in (1, True, 1.0, "true", "1", "yes")),
    ],
)
def test_a_mark_of_deletion_says_what_it_means(tmp_path, mark, deleted):
    (tmp_path / "it.json").write_text(json.dumps([{**entry(ROWS["train"][0]), "question_deleted": mark}]))
    assert read_questions(tmp_path / "it.json")[0].deleted == deleted


def test_keys_that_stand_twice_and_other_encodings_are_named(root):
    file = root / "json" / "avqa-test.json"
    text = file.read_text()
    file.write_text(text, encoding="utf-8-sig")
    assert len(read_questions(file)) == 2
    file.write_text(text.replace('"anser": "yes"', '"anser": "yes", "anser": "no"'))
    with pytest.raises(ValueError, match="an entry has the key 'anser' twice"):
        read_questions(file)
    file.write_text(text, encoding="utf-16")
    with pytest.raises(ValueError, match=r"avqa-test\.json is not UTF-8"):
        read_questions(file)
    file.write_text("[" * 100_000)
    with pytest.raises(ValueError, match=r"avqa-test\.json is no JSON"):
        read_questions(file)


def test_deleted_questions_and_answers_that_are_alike_are_told(root):
    rewritten(root, "train", 0, question_deleted=1, anser="Yes")
    rewritten(root, "test", 1, anser="Left")
    deleted, alike = MusicAVQA(root, "train").remarks()
    assert deleted.startswith("1 questions of train are marked as deleted, the first 1: they are read like others")
    assert alike == "answers that are easily taken for one another count as others: 'Yes', 'yes'"
    assert "the first 00000004-7 ('Left'): they count as wrong" in MusicAVQA(root, "test").remarks()[0]


def test_a_stamp_changes_where_the_answers_have_other_numbers(root):
    before = MusicAVQA(root, "test", SMALL, wave_rate=16_000)
    stamps, answers = [before.stamp(at) for at in (0, 1)], [int(before[at].answer) for at in (0, 1)]
    rewritten(root, "train", 0, anser="yes")  # the same words; the answers come in another order
    rewritten(root, "train", 2, anser="two")
    after = MusicAVQA(root, "test", SMALL, wave_rate=16_000)
    assert [int(after[at].answer) for at in (0, 1)] != answers
    assert [old == after.stamp(at) for at, old in enumerate(stamps)] == [
        old == int(after[at].answer) for at, old in enumerate(answers)
    ]


def test_typed_questions_are_read_in_the_words_of_their_own_system():
    one, other = Vocabulary(["yes"], ["<pad>", "is", "loud"]), Vocabulary(["yes"], ["<pad>", "loud", "is"])
    assert one == other  # as labels
    assert typed_question("loud", one)[0] == 2
    assert typed_question("loud", other)[0] == 1
    typed_question("loud", one).zero_()
    assert typed_question("loud\u200b?", one)[0] == 2
    with pytest.raises(ValueError, match=r"of the question 'где звук\?' no word is known: ask in words .* is, loud"):
        typed_question("где звук?", one)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
@pytest.mark.parametrize("kind", ["vggish", "res18_14x14"])
def test_features_that_are_no_numbers_are_named(root, monkeypatch, kind, value):
    shapes = {"vggish": (60, 4), "res18_14x14": (60, 2, 3, 3)}
    monkeypatch.setattr("crossmodal.data.music_avqa.FEATURES", shapes)
    for name, shape in shapes.items():
        (root / "feats" / name).mkdir(parents=True)
        stored = np.asfortranarray(np.random.default_rng(0).random(shape))
        np.save(root / "feats" / name / f"{VIDEOS[2]}.npy", stored)
    items = MusicAVQAFeatures(root, "test")
    frames, wave = items.read_media(VIDEOS[2])
    assert (frames.shape, wave.shape) == ((10, 9, 2), (10, 4))
    assert frames[1, 5, 1] == np.float32(np.load(root / "feats/res18_14x14" / f"{VIDEOS[2]}.npy")[6, 1, 1, 2])
    stored = np.load(root / "feats" / kind / f"{VIDEOS[2]}.npy")
    stored[6].flat[3] = value
    np.save(root / "feats" / kind / f"{VIDEOS[2]}.npy", stored)
    with pytest.raises(ValueError, match=rf"MusicAVQA: .*{VIDEOS[2]}\.npy holds NaN or infinite values"):
        items.read_media(VIDEOS[2])

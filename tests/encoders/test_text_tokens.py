"""Tokenizers against those of transformers, from the same files; words of a list; features of texts, once."""

import json
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.encoders import ClipText, FileTokenizer, TextFeatures, WordTokenizer
from crossmodal.injection import freeze

MERGES = [("t", "h"), ("th", "e</w>"), ("o", "f</w>"), ("d", "o"), ("do", "g</w>"), ("n", "g</w>"), ("i", "ng</w>")]
PLAIN = [("t", "h"), ("th", "e"), ("Ġ", "d"), ("o", "g"), ("Ġd", "og"), ("i", "n"), ("in", "g")]
texts = st.lists(st.text("the dogsing.,'_ÄX1 ", min_size=1, max_size=20), min_size=1, max_size=3)


def files(folder, characters, merges, marks):
    """Writes `vocab.json` and `merges.txt`; returns both as Python has them."""
    names = [*characters, *("".join(pair) for pair in merges), *marks]
    vocabulary = {name: number for number, name in enumerate(dict.fromkeys(names))}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
    return vocabulary, merges


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Tokenizers of CLIP and of RoBERTa, ours and theirs, from files without `tokenizer.json`."""
    transformers = pytest.importorskip("transformers")
    bytes_ = sorted(pytest.importorskip("tokenizers").pre_tokenizers.ByteLevel.alphabet())
    clip, roberta = tmp_path_factory.mktemp("clip"), tmp_path_factory.mktemp("roberta")
    words = files(clip, [*bytes_, *(f"{one}</w>" for one in bytes_)], MERGES, ["<|startoftext|>", "<|endoftext|>"])
    pieces = files(roberta, ["<s>", "<pad>", "</s>", "<unk>", *bytes_], PLAIN, ["<mask>"])
    return {
        "clip": (FileTokenizer(clip), transformers.CLIPTokenizer(*words)),
        "roberta": (FileTokenizer(roberta), transformers.RobertaTokenizer(*pieces)),
    }


@pytest.mark.parametrize("kind", ["clip", "roberta"])
@given(texts=texts)
def test_ids_are_those_of_transformers(both, kind, texts):
    ours, theirs = both[kind]
    assert ours(texts).tolist() == theirs(texts, padding=True)["input_ids"]
    assert [ours.start, *ours.encode(texts[0]), ours.end] == theirs(texts[0])["input_ids"]


def test_a_tokenizer_json_is_read_as_it_is(both, tmp_path):
    ours, theirs = both["roberta"]
    theirs.save_pretrained(tmp_path)
    read = FileTokenizer(tmp_path, context=9)
    assert read(["the dog", "a"]).tolist() == ours(["the dog", "a"]).tolist()
    with pytest.raises(ValueError, match=r"FileTokenizer: 'abcdefgh' has 10 tokens with start and end, and context=9"):
        read(["a", "abcdefgh"])
    with pytest.raises(FileNotFoundError, match=r"holds neither tokenizer\.json nor vocab\.json and merges\.txt"):
        FileTokenizer(tmp_path / "none")


@pytest.mark.parametrize(
    ("kind", "marks"), [("clip", ("<|startoftext|>", "<|endoftext|>")), ("roberta", ("<s>", "</s>", "<pad>"))]
)
def test_a_text_with_a_mark_of_the_tokenizer_does_not_end_there(both, kind, marks, tmp_path):
    _, theirs = both[kind]
    theirs.save_pretrained(tmp_path)
    read, plain = FileTokenizer(tmp_path), both[kind][0]
    for mark in marks:
        with pytest.raises(ValueError, match=f"holds '{re.escape(mark)}', a mark of the tokenizer: write it otherwise"):
            read([f"the {mark} dog", "the dog"])
        assert {plain.start, plain.end, plain.padding}.isdisjoint(plain.encode(f"the {mark} dog"))  # spelt by letters
    assert read(["the <b> dog", "the dog"])[0, -1] == read.end


def test_words_are_numbered_and_unknown_ones_refused(tmp_path):
    words = WordTokenizer(("a", "red", "dots", "."), context=6)
    assert words(["a red.", "Dots"]).tolist() == [[5, 1, 2, 4, 6], [5, 3, 6, 0, 0]]
    assert words.vocabulary == 7
    (tmp_path / "words.json").write_text('{"words": ["a", "red", "dots", "."], "context": 6}', encoding="utf-8")
    assert WordTokenizer.from_file(tmp_path / "words.json").encode("red a") == [2, 1]
    with pytest.raises(ValueError, match=r"WordTokenizer: 'blue' in 'a blue' is none of its 4 words: a, red, dots, \."):
        words(["a blue"])
    with pytest.raises(ValueError, match="'a a a a a' has 7 tokens with start and end, and context=6"):
        words(["a a a a a"])
    with pytest.raises(ValueError, match="must be different, single words"):
        WordTokenizer(("a", "red dots"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", r"words\.json is no JSON in UTF-8"),
        (b"\xff", r"words\.json is no JSON in UTF-8"),
        (b'["a", "red"]', "with a list of words and a whole number"),
        (b'{"words": ["a"]}', "with a list of words and a whole number"),
        (b'{"words": "a red", "context": 16}', "with a list of words and a whole number"),
        (b'{"words": ["a", 1], "context": 16}', "with a list of words and a whole number"),
        (b'{"words": ["a"], "context": true}', "with a list of words and a whole number"),
        (b'{"words": ["a"], "context": 1}', "context=1 must be at least 2"),
    ],
)
def test_a_file_of_words_that_is_none_is_named(tmp_path, content, reason):
    (tmp_path / "words.json").write_bytes(content)
    with pytest.raises(ValueError, match=f"WordTokenizer: .*{reason}"):
        WordTokenizer.from_file(tmp_path / "words.json")
    with pytest.raises(FileNotFoundError, match=r"WordTokenizer: there is no file .*none\.json"):
        WordTokenizer.from_file(tmp_path / "none.json")


@pytest.mark.parametrize("files", [("tokenizer.json",), ("vocab.json", "merges.txt")])
def test_files_of_a_tokenizer_that_cannot_be_read_are_named(tmp_path, files):
    for name in files:
        (tmp_path / name).write_text("<html>404</html>", encoding="utf-8")
    with pytest.raises(ValueError, match=f"FileTokenizer: .*{files[-1]} cannot be read .*: copy what belongs"):
        FileTokenizer(tmp_path)


def test_features_of_texts_are_computed_once_while_the_encoder_is_frozen():
    words = WordTokenizer(("a", "red", "dots"))
    features = TextFeatures(ClipText(4, vocabulary=words.vocabulary, context=8, width=8, depth=1, heads=2), words)
    features(["a red"]).sum().backward()
    features(["a red"])
    assert features.passes == 2
    freeze(features.encoder)
    first = features(["a red", "dots"])
    assert features(("a red", "dots")) is first
    assert features.passes == 3
    torch.testing.assert_close(features(["dots"])[0], first[1])  # what is padding changes no feature
    with torch.no_grad():
        features.encoder.positions.mul_(2)
    assert not torch.equal(features(["a red", "dots"]), first)
    assert features.passes == 5

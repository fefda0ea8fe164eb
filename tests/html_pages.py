"""Reads the pages that a run leaves: elements, attributes and words, and checks that they load nothing."""

import re
from html.parser import HTMLParser

VOID = {"meta", "path", "use", "image", "rect", "br", "stop", "line", "circle"}


class Read(HTMLParser):
    """Elements in order, all attributes and all words; complains where elements are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.words, self.elements = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.words.append(data)


def checked(file):
    """The page, read; it loads nothing from anywhere."""
    text = file.read_text(encoding="utf-8")
    read = Read(text)
    assert text.startswith("<!doctype html>")
    for name, value in read.attributes:
        if name in ("src", "href", "xlink:href", "srcset", "data"):
            assert value.startswith(("data:image/", "#")), (name, value[:60])
    assert not re.findall(r"@import|url\((?!#)", text)
    assert not {"script", "link", "iframe", "object", "metadata"} & set(read.elements)
    assert len(text) < 3_000_000
    return read


def said(read):
    return " ".join(" ".join(read.words).split())

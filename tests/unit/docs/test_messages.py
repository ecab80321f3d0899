"""docs/instruments/messages.md against the code: what it lists exists, what exists is listed."""

import errno
import os
import re

from support.doc_blocks import INSTRUMENTS
from support.doc_messages import messages, pattern, texts

SHORTEST = 4
"""Letters that a documented message must have, or it would match anything."""

WRAPPER = 8
"""A message with fewer letters only hands on another one's words."""


def letters(text):
    return len(re.findall(r"[A-Za-z]", text))


def stems():
    """The messages in the first column of the tables."""
    text = (INSTRUMENTS / "messages.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \| ", text, re.MULTILINE)
    return [stem for row in rows for stem in re.findall(r"`([^`]+)`", row)]


def test_every_listed_message_is_one_of_the_code_or_of_the_operating_system():
    system = [os.strerror(number) for number in errno.errorcode]
    known = texts() + system + [text[:1].lower() + text[1:] for text in system]

    assert [stem for stem in stems() if not any(map(pattern(stem).search, known))] == []


def test_a_listed_message_is_long_enough_to_mean_one_thing():
    assert [stem for stem in stems() if letters(stem) < SHORTEST] == []


def test_every_message_for_a_person_is_listed():
    listed = [pattern(stem) for stem in stems()]
    missing = [
        f"{message.where}: {message.template}"
        for message in messages()
        if letters(message.template) >= WRAPPER
        and message.template != "--configfile: \0"
        and not any(it.search(message.template) for it in listed)
    ]

    assert missing == []


def test_the_comparison_finds_what_is_wrong():
    assert pattern("Channel … keeps the name …, not").search(
        "Channel \0 keeps the name \0, not \0."
    )
    assert not pattern("Channel … keeps its name").search("Channel \0 keeps the name \0, not \0.")
    assert len(messages()) > 80
    assert len(stems()) > 100

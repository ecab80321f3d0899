"""Directories that come and go, files that grow."""

import os
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import LogLevel, globalLogPublisher

from sisock.nodes.apex_weather import parse_file
from sisock.nodes.files import Directory, Entry, TableCache


@pytest.fixture
def said(request: pytest.FixtureRequest) -> list[tuple[LogLevel, str]]:
    """What the log says, formatted."""
    lines: list[tuple[LogLevel, str]] = []

    def observe(event: Any) -> None:
        lines.append((event["log_level"], event["log_format"].format(**event)))

    globalLogPublisher.addObserver(observe)  # type: ignore[arg-type]
    request.addfinalizer(lambda: globalLogPublisher.removeObserver(observe))  # type: ignore[arg-type]
    return lines


class CountingParser:
    """Counts how often each file is read."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name: str, data: bytes) -> Any:
        self.names.append(name)
        return parse_file(name, data)


def entry(path: Path) -> Entry:
    status = path.stat()
    return Entry(path, status.st_size, (status.st_mtime_ns, status.st_size, status.st_ino))


def test_a_directory_that_is_mounted_later(
    tmp_path: Path, seconds: Any, said: list[tuple[LogLevel, str]]
) -> None:
    place = tmp_path / "targets"
    directory = Directory(place, ".dat", clock=seconds)
    for _ in range(3):
        assert directory.entries() == ()
        seconds.now += 5
    assert said == [
        (
            LogLevel.warn,
            f"cannot read {place}: No such file or directory; looking again every 2 s",
        )
    ]
    place.mkdir()
    assert directory.entries() == ()
    assert said[-1] == (LogLevel.warn, f"no file *.dat in {place} yet; looking again every 2 s")
    (place / "a.dat").write_text("1 2\n")
    assert directory.entries() == (), "looked at a moment ago"
    seconds.now += 2
    assert [found.path.name for found in directory.entries()] == ["a.dat"]
    assert said[-1] == (LogLevel.info, f"data files found in {place}")
    (place / "a.dat").unlink()
    place.rmdir()
    seconds.now += 2
    assert directory.entries() == ()
    assert len(said) == 4


def test_what_is_no_directory(
    tmp_path: Path, seconds: Any, said: list[tuple[LogLevel, str]]
) -> None:
    (tmp_path / "file").touch()
    assert Directory(tmp_path / "file", ".dat", clock=seconds).entries() == ()
    assert "Not a directory" in said[0][1]


def test_only_files_of_the_right_kind(tmp_path: Path, seconds: Any) -> None:
    for name in ("b.dat", "a.dat", "a.txt", ".hidden.dat", ".dat"):
        (tmp_path / name).touch()
    (tmp_path / "folder.dat").mkdir()
    (tmp_path / "dangling.dat").symlink_to(tmp_path / "nowhere")
    found = Directory(tmp_path, ".dat", clock=seconds).entries()
    assert [one.path.name for one in found] == ["a.dat", "b.dat"]


def test_the_same_tuple_until_something_changes(tmp_path: Path, seconds: Any) -> None:
    file = tmp_path / "a.dat"
    file.write_text("1 2\n")
    directory = Directory(tmp_path, ".dat", clock=seconds)
    first = directory.entries()
    seconds.now += 10
    assert directory.entries() is first
    os.utime(file, ns=(0, 12345))
    seconds.now += 10
    assert directory.entries() is not first


def test_a_file_is_parsed_once_and_again_when_it_has_changed(tmp_path: Path) -> None:
    parse = CountingParser()
    cache = TableCache(parse)
    quiet, growing = tmp_path / "a.dat", tmp_path / "b.dat"
    quiet.write_text("1 2\n")
    growing.write_text("1 2\n3 4")
    for _ in range(3):
        for file in (quiet, growing):
            table = cache.get(entry(file))
            assert table
            assert table.times.tolist() == [1]
    with growing.open("a") as file_object:
        file_object.write(".5\n5 6\n")
    table = cache.get(entry(growing))
    assert table
    assert table.values.tolist() == [2, 4.5, 6]
    assert parse.names == ["a.dat", "b.dat", "b.dat"]


def test_memory_is_bounded_and_what_was_used_last_stays(tmp_path: Path) -> None:
    parse = CountingParser()
    cache = TableCache(parse, limit_bytes=3 * 16 * 100)
    files = [tmp_path / f"{number}.dat" for number in range(4)]
    for file in files:
        file.write_text("".join(f"{row} 1\n" for row in range(1, 101)))
    for number in (0, 1, 2, 0, 3):
        assert cache.get(entry(files[number]))
        assert cache.size_bytes <= 3 * 16 * 100
    parse.names.clear()
    for number in (0, 2, 3, 1):
        cache.get(entry(files[number]))
    assert parse.names == ["1.dat"]


def test_what_cannot_be_read_is_said_once(tmp_path: Path, said: list[tuple[LogLevel, str]]) -> None:
    def refuse(_name: str, _data: bytes) -> Any:
        raise ValueError("it makes no sense")

    cache = TableCache(refuse)
    file = tmp_path / "a.dat"
    for text in ("1 2\n", "1 2\n3 4\n"):
        file.write_text(text)
        assert cache.get(entry(file)) is None
    assert said == [(LogLevel.warn, f"{file} is left out: it makes no sense")]
    gone = entry(file)
    file.unlink()
    assert TableCache(refuse).get(gone) is None
    assert said[-1][1] == f"{file} cannot be read: No such file or directory"


def test_a_huge_file_is_not_even_opened(tmp_path: Path, said: list[tuple[LogLevel, str]]) -> None:
    file = tmp_path / "a.dat"
    with file.open("wb") as file_object:
        file_object.truncate(2**32)
    assert TableCache(parse_file).get(entry(file)) is None
    assert said == [
        (LogLevel.warn, f"{file} is left out: 4294967296 bytes are more than 268435456")
    ]


def test_spoiled_lines_are_said_once(tmp_path: Path, said: list[tuple[LogLevel, str]]) -> None:
    cache = TableCache(parse_file)
    file = tmp_path / "a.dat"
    for text in ("1 2\nspoiled\n", "1 2\nspoiled\nagain\n3 4\n"):
        file.write_text(text)
        assert cache.get(entry(file))
    assert [line for _, line in said] == [
        f"{file} has lines that are no rows of numbers; they are left out"
    ]

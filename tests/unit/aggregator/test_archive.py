from pathlib import Path

import pytest

from agents.aggregator.archive import ArchiveFile, Disk, new_name, restore

NOW = 1_700_000_000.7


def test_names_are_folder_and_second_and_are_used_once(tmp_path):
    path = new_name(tmp_path, NOW)
    assert path == tmp_path / "17000" / "1700000000.g3"
    path.parent.mkdir()
    path.touch()
    assert new_name(tmp_path, NOW).name == "1700000001.g3"


def test_a_file_is_never_opened_over_another(tmp_path):
    path = tmp_path / "x.g3"
    path.write_bytes(b"theirs")
    with pytest.raises(FileExistsError):
        ArchiveFile.create(path, NOW, Disk())
    assert path.read_bytes() == b"theirs"


def test_what_is_appended_counts_once_kept(tmp_path):
    file = ArchiveFile.create(tmp_path / "x.g3", NOW, Disk())
    file.append(b"abc")
    assert (file.length, file.end) == (0, 3)
    file.keep()
    file.append(b"de")
    assert (file.length, file.end) == (3, 5)
    file.close()
    assert file.path.read_bytes() == b"abcde"


@pytest.mark.parametrize(
    ("content", "length", "words", "left"),
    [
        (b"head and more", 4, "cut", b"head"),
        (b"head and more", 0, "removed", None),
        (b"he", 0, "removed", None),
        (b"", 0, "removed", None),
        (b"other", 0, "not the file", b"other"),
        (b"head", 13, "4 bytes, 13 were written", b"head"),
        (b"head", 4, "", b"head"),
        (None, 4, "gone", None),
        (None, 0, "", None),
    ],
)
def test_restore(tmp_path: Path, content, length, words, left):
    path = tmp_path / "x.g3"
    if content is not None:
        path.write_bytes(content)
    done = restore(path, length, b"head", Disk())
    assert words in done
    assert bool(words) == bool(done)
    assert (path.read_bytes() if path.exists() else None) == left

"""The pages on the Lake Shore instruments: every command and example in them, run."""

import fnmatch
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from support.doc_blocks import INSTRUMENTS, Block, blocks, shows
from support.docs_lab import ROOT, DocsLab

from ocs.testing import RouterProcess, wait_for

sys.path.append(str(ROOT / "tools"))
from lakeshore_reference import operations

PAGES = ("configuration.md", "curves.md", "data.md", "heaters.md", "wiring.md")


@pytest.fixture
def empty_lab(tmp_path: Path) -> Iterator[DocsLab]:
    lab = DocsLab(tmp_path)
    yield lab
    lab.stop()


@pytest.fixture
def lab(empty_lab: DocsLab, router: RouterProcess) -> DocsLab:
    empty_lab.start(router)
    return empty_lab


def follow(lab: DocsLab, page: str) -> int:
    """Do what a page says; return how many blocks were run."""
    end = Block(0, "", (), "")
    count = 0
    for block, after in pairwise([*blocks(INSTRUMENTS / page), end]):
        lab.write(block)
        expected = after.text if after.language == "text" and after.file is None else None
        if block.language not in ("sh", "python") or "real" in block.marks:
            continue
        if "terminal" in block.marks:
            lab.terminal(block.text, expected or "\n…")
        else:
            if "recorded" in block.marks:
                lab.record("Channel_02")
            written = lab.run(block)
            if expected is not None:
                where = f"{page}, line {block.line}"
                assert shows(lab.place(expected)).fullmatch(written), f"{where}:\n{written}"
        count += 1
    return count


@pytest.mark.timeout(300)
def test_a_newcomer_gets_from_nothing_to_readings(empty_lab):
    assert follow(empty_lab, "bring-up.md") > 10


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_do_what_it_says(lab, page):
    if page == "data.md":
        wait_for(lambda: lab.was_left("Channel_02"), 30, "a reading of channel 2")
    assert follow(lab, page) > 0


def call(client, example):
    """Run an example; return its session."""
    operation = getattr(client, example.operation)
    if example.operation == "acq":
        operation.stop()
        operation.wait(20)
        assert operation.start(**example.params).status == 0
        wait_for(lambda: operation.status().session["data"].get("fields"), 30, "readings")
        operation.stop()
        session = operation.wait(20).session
        operation.start()
        return session
    if hasattr(operation, "stop"):
        assert operation.start(**example.params).status == 0
        return operation.wait(60).session
    return operation(**example.params).session


@pytest.mark.timeout(300)
@pytest.mark.parametrize("agent", [operations.lakeshore372, operations.lakeshore240])
def test_the_examples_of_the_reference_answer_what_it_says(lab, agent):
    described = agent()
    client = lab.client(described.instance_id)
    wrong = []
    for example in described.examples:
        session = call(client, example)
        told = session["messages"][-2][1]
        pattern = fnmatch.translate(example.answer.replace("[", "[[]").replace("…", "*"))
        if not re.match(pattern, told) or session["success"] is not example.success:
            wrong.append(f"{example.python}: {session['success']}, {told}")
    assert not wrong, "\n".join(wrong)


def test_the_shell_lines_of_the_reference_work(lab):
    page = ROOT / "docs" / "reference" / "lakeshore372-operations.md"
    shell = next(it for it in blocks(page) if it.language == "sh" and "get_dwell" in it.text)

    assert "Channel 5 has a dwell of" in lab.run(shell)

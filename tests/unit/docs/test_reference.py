"""The generated reference: current, whole, and honest about parameters."""

import os
import subprocess
import sys

import pytest
from support.doc_messages import ROOT

sys.path.append(str(ROOT / "tools"))
from lakeshore_reference import operations

AGENTS = [operations.lakeshore372, operations.lakeshore240]


def test_the_pages_are_what_the_code_says():
    tool = ROOT / "tools" / "make_operations_reference.py"

    done = subprocess.run(
        [sys.executable, tool, "--check"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize("agent", AGENTS)
def test_an_operation_without_an_example_is_not_accepted(agent):
    described = agent()
    bare = operations.Agent(described.title, "X", described.operations, described.examples[1:])

    with pytest.raises(ValueError, match="init_lakeshore has no example"):
        operations.page(bare)


def test_examples_are_of_operations_that_exist():
    for agent in AGENTS:
        described = agent()
        names = {it.name for it in described.operations}
        assert {it.operation for it in described.examples} == names


def test_a_section_tells_parameters_data_and_calls():
    page = operations.page(operations.lakeshore372())
    section = page.partition("## set_dwell\n")[2].partition("\n## ")[0]

    assert "| `dwell` | required | Seconds, 1 to 200. |" in section
    assert "client.set_dwell(channel=5, dwell=8)" in section
    assert 'echo "client.set_dwell(channel=5, dwell=8)" | ocs-client-cli shell LSA23JD' in section
    assert "answers: *Channel 5 has a dwell of 8 s.*" in section

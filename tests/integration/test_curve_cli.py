"""The command lakeshore-curve against simulated instruments."""

import re
import sys

import pytest

from agents.lakeshore.curve_cli import main
from agents.lakeshore.curve_files import read_curve
from ocs.testing import AgentProcess

FILE = """Sensor Model:\tRX-102A
Serial Number:\tU04852
Data Format:\t4\t(Log Ohms/Kelvin)
SetPoint Limit:\t40.0\t(Kelvin)
Temperature coefficient:\t1 (Negative)
Number of Breakpoints:\t4

No.\tUnits\tTemperature (K)

1\t3.02\t40.0
2\t3.10\t10.0
3\t3.50\t1.0
4\t4.00\t0.05
"""


def run(capsys, *words):
    status = main([str(word) for word in words])
    return (status, *capsys.readouterr())


@pytest.fixture(params=["372", "240"])
def instrument(request, tmp_path):
    """A simulated instrument: how it is named, and a location of it that holds no curve."""
    kind = request.param
    arguments = ["--port=0"] if kind == "372" else [f"--pty={tmp_path / 'tty'}", "--factory-new"]
    argv = [sys.executable, "-m", f"agents.lakeshore{kind}.simulator", *arguments]
    with AgentProcess(argv) as simulator:
        line = simulator.wait_for_line("listens on")
        if kind == "372":
            yield ["--address", re.search(r"listens on (\S+)", line)[1], "--location", "59"]
        else:
            yield ["--port", tmp_path / "tty", "--location", "3"]


def test_there_and_back(instrument, capsys, tmp_path):
    file = tmp_path / "good.340"
    file.write_text(FILE)
    status, out, err = run(capsys, "write", file, *instrument, "--dry-run")
    assert status == 0, err
    assert "Nothing was changed" in out
    out_file = tmp_path / "back.340"
    assert run(capsys, "read", out_file, *instrument)[0] == 1
    status, out, err = run(capsys, "write", file, *instrument)
    assert status == 0, err
    assert "with 4 points, verified. Before, it held no curve." in out
    assert run(capsys, "read", out_file, *instrument)[0] == 0
    assert read_curve(out_file) == read_curve(file)
    status, _, err = run(capsys, "write", file, *instrument)
    assert status == 1
    assert "say overwrite" in err
    assert run(capsys, "write", file, *instrument, "--overwrite")[0] == 0
    status, _, err = run(capsys, "write", file, *instrument, "--serial-number", "LSX")
    assert status == 2
    assert "not LSX" in err

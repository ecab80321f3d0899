"""The command lakeshore-curve, as far as no instrument is needed."""

from pathlib import Path

import pytest

from agents.lakeshore.curve_cli import main
from agents.lakeshore.curve_files import read_curve
from ocs.testing import free_port

GOOD = """Sensor Model:\tRX-102A
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


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "good.340"
    path.write_text(GOOD)
    return path


def run(capsys, *words):
    try:
        status = main([str(word) for word in words])
    except SystemExit as ended:
        status = ended.code
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return status, out.strip(), err.strip()


def test_check_says_what_is_in_a_file(file, capsys):
    status, out, _ = run(capsys, "check", file)
    assert status == 0
    assert out == (
        f"{file}: 'RX-102A', serial number 'U04852', format 4 (log ohms), 4 points, 3.02 to 4, "
        "0.05 to 40 K. Fit for the 372 and the 240."
    )
    file.write_text(GOOD.replace("Format:\t4", "Format:\t2"))
    assert run(capsys, "check", file)[1].endswith("Fit for the 240.")
    status, _, told = run(capsys, "check", file, "--for", "372")
    assert status == 1
    assert "format is 2 volts; this instrument knows" in told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("4\t4.00\t0.05\n", ""), "announces 4 points, but there are 3"),
        (("3.50", "3.02"), "have the same units"),
        (("RX-102A", "RX,102A"), "holds a comma"),
    ],
)
def test_a_file_that_is_not_fit_is_refused(file, capsys, tmp_path, change, told):
    file.write_text(GOOD.replace(*change))
    for words in (("check", file), ("convert", file, tmp_path / "out.340")):
        status, out, err = run(capsys, *words)
        assert (status, out) == (1, "")
        assert err.startswith("lakeshore-curve: ")
        assert told in err
    assert not (tmp_path / "out.340").exists()


def test_convert_writes_a_new_file_only(file, capsys, tmp_path):
    old = tmp_path / "old.txt"
    old.write_text("# name, sn, format, limit, coeff\nRX, U1, 4, 40, 1\n3.02 40\n3.5 1\n4 .05\n")
    out = tmp_path / "out.340"
    assert run(capsys, "convert", old, out)[0] == 0
    assert len(read_curve(out).points) == 3
    status, _, err = run(capsys, "convert", file, out)
    assert status == 1
    assert "exists already" in err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["check"],
        ["write", "x.340", "--location", "21"],
        ["write", "x.340", "--address", "a", "--port", "b", "--location", "21"],
        ["read", "x.340", "--address", "a:0", "--location", "21"],
    ],
)
def test_wrong_command_lines(capsys, words):
    assert run(capsys, *words)[0] == 2


def test_nobody_there(file, capsys, tmp_path):
    port = free_port()
    for where in (("--address", f"127.0.0.1:{port}"), ("--port", tmp_path / "none")):
        status, out, err = run(capsys, "write", file, *where, "--location", "21")
        if where[0] == "--port":
            assert status == 1
            assert "Channel 21 cannot be written; 1 to 8 can" in err
            status, out, err = run(capsys, "write", file, *where, "--location", "1")
        assert (status, out) == (2, "")
        assert "No answer from the Lake Shore" in err
    assert run(capsys, "read", tmp_path / "x", "--port", "foo://a", "--location", "1")[0] == 2

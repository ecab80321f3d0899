import pytest

from agents.lakeshore372.simulator import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "70000"], "not from 0 to 65535"),
        (["--scan-scale", "0"], "above 0"),
        (["--scan-scale", "fast"], "invalid"),
        (["--pause", "2"], "not from 3 to 200"),
        (["--serial", "A,B"], "letters and digits"),
    ],
)
def test_bad_arguments(capsys, arguments, message):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_truth_file_that_cannot_be_written(capsys, tmp_path):
    assert main(["--truth", str(tmp_path / "no" / "truth")]) == 2
    error = capsys.readouterr().err
    assert "no/truth" in error
    assert len(error.splitlines()) == 1

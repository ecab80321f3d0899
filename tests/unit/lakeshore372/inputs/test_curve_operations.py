"""The curve tasks of the 372 Agent: what they do, what they refuse, and what they protect."""

import pytest

POINTS = [(3.0 + 0.02 * n, 40.0 - 0.3 * n) for n in range(100)]
HEADER = (
    "Sensor Model:\tRX-102A\nSerial Number:\tU04852\nData Format:\t4\nSetPoint Limit:\t40\n"
    "Temperature coefficient:\t1\nNumber of Breakpoints:\t100\n\nNo.\tUnits\tTemperature (K)\n\n"
)


@pytest.fixture
def curve_file(tmp_path):
    lines = [f"{n}\t{units:.5f}\t{kelvin:.4f}" for n, (units, kelvin) in enumerate(POINTS, 1)]
    path = tmp_path / "U04852.340"
    path.write_text(HEADER + "\n".join(lines) + "\n")
    return str(path)


def used_curve(link):
    return int(link.bench.say("INSET? 1").split(",")[3])


def test_a_file_becomes_a_curve_and_a_file_again(tasks, link, curve_file, tmp_path):
    progress = []
    link.meanwhile = lambda _: progress.append(tasks.session.data)
    _, words, data = tasks.run("upload_cal_curve", curve_number=59, filename=curve_file)
    assert "Curve 59 holds 'RX-102A' with 100 points, verified" in words
    assert {"location": 59, "phase": "writing", "done": 17, "total": 100} in progress
    assert data == {"location": 59, "phase": "verifying", "done": 100, "total": 100}
    copy = tmp_path / "copy.340"
    tasks.succeed("download_cal_curve", curve_number=59, filename=str(copy))
    rows = [line.split() for line in copy.read_text().splitlines()[9:]]
    assert [float(units) for _, units, _ in rows] == pytest.approx([u for u, _ in POINTS])
    assert [float(kelvin) for _, _, kelvin in rows] == pytest.approx([k for _, k in POINTS])
    tasks.succeed("set_calibration_curve", channel=2, curve_number=59)
    assert link.bench.say("INCRV? 2") == "59"


def test_a_dry_run_changes_nothing(tasks, link, curve_file):
    link.bench.lines.clear()
    tasks.succeed("upload_cal_curve", curve_number=59, filename=curve_file, dry_run=True)
    assert all("?" in line for line in link.bench.lines)


def test_a_curve_is_deleted(tasks, curve_file):
    tasks.succeed("upload_cal_curve", curve_number=59, filename=curve_file)
    tasks.succeed("delete_cal_curve", curve_number=59)
    assert "holds no curve" in tasks.fail(
        "download_cal_curve", curve_number=59, filename=curve_file + ".none"
    )


def test_another_curve_is_lost_only_if_that_is_wanted(tasks, curve_file):
    tasks.succeed("upload_cal_curve", curve_number=59, filename=curve_file)
    again = {"curve_number": 59, "filename": curve_file}
    assert "say overwrite" in tasks.fail("upload_cal_curve", **again)
    tasks.succeed("upload_cal_curve", **again, overwrite=True)


def test_a_curve_that_a_channel_uses_is_left_alone(tasks, link, curve_file):
    used = used_curve(link)
    link.bench.lines.clear()
    for name, params in (
        ("upload_cal_curve", {"filename": curve_file, "overwrite": True}),
        ("delete_cal_curve", {}),
    ):
        assert f"Curve {used} is in use by channel" in tasks.fail(name, curve_number=used, **params)
    assert all("?" in line for line in link.bench.lines)


@pytest.mark.parametrize("number", [0, 20, 60])
def test_a_place_that_cannot_be_written(tasks, curve_file, number):
    assert str(number) in tasks.fail("delete_cal_curve", curve_number=number)
    assert str(number) in tasks.fail("upload_cal_curve", curve_number=number, filename=curve_file)


def test_a_place_that_does_not_exist_or_a_file_that_does(tasks, link, curve_file):
    words = tasks.fail("download_cal_curve", curve_number=60, filename="x.340")
    assert "There is no curve 60" in words
    params = {"curve_number": used_curve(link), "filename": curve_file}
    assert curve_file in tasks.fail("download_cal_curve", **params)


def test_a_half_written_curve_is_assigned_to_nobody(tasks, link, curve_file):
    """Its temperatures would look plausible."""
    assigned = []

    def assign(text):
        if text.startswith("CRVPT 59,50,"):
            link.meanwhile = None
            assigned.append(tasks.run("set_calibration_curve", channel=2, curve_number=59)[:2])

    before = link.bench.say("INCRV? 2")
    link.meanwhile = assign
    tasks.succeed("upload_cal_curve", curve_number=59, filename=curve_file)
    assert assigned[0][0] is False
    assert "Curve 59 is being written" in assigned[0][1]
    assert link.bench.say("INCRV? 2") == before
    tasks.succeed("set_calibration_curve", channel=2, curve_number=59)


def test_nor_is_one_whose_writing_was_aborted(tasks, link, curve_file):
    def abort(text):
        if text.startswith("CRVPT 59,50,"):
            tasks.aborters["upload_cal_curve"](tasks.session, None)

    link.meanwhile = abort
    params = {"curve_number": 59, "filename": curve_file, "overwrite": True}
    assert "Curve 59 is empty now" in tasks.fail("upload_cal_curve", **params)
    link.meanwhile = None
    assert "failed halfway" in tasks.fail("set_calibration_curve", channel=2, curve_number=59)
    tasks.succeed("upload_cal_curve", **params)
    tasks.succeed("set_calibration_curve", channel=2, curve_number=59)

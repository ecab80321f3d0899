"""Every task of the Agent against the simulated module, and every refusal."""

import math
import threading

import pytest

from ocs.op_session import OpSession
from ocs.params import ParamError
from ocs.testing import wait_for

NTC = {"sensor": 3, "auto_range": 0, "range": 5, "current_reversal": 1, "unit": 3, "enabled": 1}


def test_inputs_are_set_up_and_read_back(lab):
    (done, text), _ = lab.run("set_values", channel=3, name="shield", filter=50, **NTC)
    assert done
    assert text == (
        "Channel 3: NTC RTD, range 3000 ohm, autorange off, current reversal on, sensor, enabled, "
        "name 'shield', filter 50."
    )
    assert lab.plugs[0].say("INTYPE? 3") == "3,0,5,1,3,1"
    (done, _), session = lab.run("get_values", channel=3)
    assert done
    assert session.data == {
        "sensor": "NTC RTD",
        "auto_range": False,
        "range": 3000.0,
        "current_reversal": True,
        "unit": "Sensor",
        "enabled": True,
        "name": "shield",
        "filter": 50,
    }


def test_the_other_names_of_settings_have_an_effect(lab):
    assert lab.run("set_values", channel=3, units=2, autorange=False)[0][0]
    _, autorange, _, _, units, _ = lab.plugs[0].say("INTYPE? 3").split(",")
    assert (autorange, units) == ("0", "2")
    assert lab.run("set_values", channel=3, unit=4, units=4)[0][0]
    assert lab.plugs[0].say("INTYPE? 3").split(",")[4] == "4"


def test_upstreams_example_is_taken(lab):
    """A diode for which autorange is on, as upstream's documentation has it."""
    params = {"sensor": 1, "auto_range": 1, "range": 0, "current_reversal": 0, "units": 3}
    assert lab.run("set_values", channel=1, enabled=1, name="Channel 01", **params)[0][0]
    assert lab.plugs[0].say("INTYPE? 1") == "1,1,0,0,3,1"


def test_what_autorange_chooses_is_not_a_refusal(lab):
    assert lab.run("set_values", channel=3, auto_range=0, range=8)[0][0]
    (done, text), _ = lab.run("set_values", channel=3, auto_range=1)
    assert done, text
    assert "autorange on" in text


def test_another_sensor_begins_at_its_own_settings(lab):
    (done, text), _ = lab.run("set_values", channel=3, sensor=1)
    assert done, text
    assert "Diode, range 7.5 V" in text
    assert "current reversal off" in text


def test_nothing_to_change(lab):
    result, _ = lab.run("set_values", channel=1)
    assert result == (True, "Channel 1: nothing was to be changed.")


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"channel": 9}, "no channel 9; this module has 1 to 8"),
        ({"channel": 0}, "no channel 0"),
        ({"channel": 1, "sensor": 4}, "sensor is 4; it can be 1 diode, 2 platinum rtd, 3 ntc rtd"),
        ({"channel": 1, "range": 1}, "range of a Diode is 0, not 1"),
        ({"channel": 3, "range": 9}, "range of a NTC RTD is 0 to 8, not 9"),
        ({"channel": 1, "current_reversal": True}, "diode cannot have current reversal"),
        ({"channel": 1, "unit": 0}, "unit is 0; it can be 1 kelvin"),
        ({"channel": 1, "unit": 1, "units": 2}, "unit and units are the same setting"),
        ({"channel": 1, "auto_range": 0, "autorange": 1}, "are the same setting, but differ"),
        ({"channel": 1, "enabled": "yes"}, "enabled is 'yes'; it can be 0, 1, True or False"),
        ({"channel": 1, "enabled": [1]}, "enabled is [1]"),
        ({"channel": 1, "name": "a,b"}, "without comma"),
        ({"channel": 1, "name": "far too long for it"}, "15"),
        ({"channel": 1, "filter": 0}, "1 to 100 points, not 0"),
        ({"channel": 1, "module": "X"}, "has no module X; it has one without a name"),
    ],
)
def test_set_values_refuses(lab, params, told):
    (done, text), _ = lab.run("set_values", **params)
    assert not done
    assert told in text
    assert not [line for line in lab.plugs[0].lines if "?" not in line]


@pytest.mark.parametrize("op", ["set_values", "get_values", "delete_cal_curve"])
@pytest.mark.parametrize("params", [{}, {"channel": "one"}, {"channel": 1, "chanel": 2}])
def test_parameters_of_the_wrong_kind_are_refused(lab, op, params):
    with pytest.raises(ParamError):
        lab.run(op, **params)


def test_what_the_module_does_not_take_is_refused(lab):
    plug = lab.plugs[0]

    def deaf(line):
        return b"" if b"?" not in line else plug.tell_instrument(line)

    plug.answer = deaf
    for params, told in (
        ({"enabled": 0}, "has not taken it. Asked for was"),
        ({"name": "new"}, "calls channel 1 '40K plate' all the same"),
        ({"filter": 99}, "keeps a filter of 10 points"),
    ):
        (done, text), _ = lab.run("set_values", channel=1, **params)
        assert not done
        assert told in text


@pytest.mark.parametrize(
    ("op", "params"),
    [
        ("init_lakeshore", {}),
        ("set_values", {"channel": 1}),
        ("get_values", {"channel": 1}),
        ("download_cal_curve", {"channel": 1, "filename": "x.340"}),
        ("delete_cal_curve", {"channel": 1}),
    ],
)
def test_without_the_module_each_task_says_so(lab, op, params):
    lab.plugs[0].pull_out()
    (done, text), _ = lab.run(op, **params)
    assert not done
    assert text.startswith("No answer from the Lake Shore 240 at /dev/LSA2359: no such file")
    assert "USB cable" in text


def test_init_tells_what_it_finds_once(lab):
    (done, text), _ = lab.run("init_lakeshore")
    assert done
    assert text == (
        "Lake Shore 240 LSA2359 (Module) at /dev/LSA2359: 8 inputs, enabled: "
        "1, 2, 3, 4, 5, 6, 7, 8."
    )
    assert lab.run("init_lakeshore")[0] == (True, "Already initialized.")
    assert "8 inputs" in lab.run("init_lakeshore", force=True, auto_acquire=True)[0][1]
    assert lab.agent.started == ["acq"]
    lab.agent.start_answer = (-1, "No such thing.", {})
    (done, text), _ = lab.run("init_lakeshore", auto_acquire=True)
    assert not done
    assert "acq does not start: No such thing" in text


def test_a_wrong_serial_number_is_refused(make_lab, make_plug):
    lab = make_lab(make_plug("LSA1"), make_plug("LSA2"))
    lab.lakeshore.modules[1].driver.expected_serial = "LSA9"
    (done, text), _ = lab.run("init_lakeshore")
    assert not done
    assert "has serial number LSA2, not LSA9. Correct --port or --serial-number." in text


@pytest.fixture
def curve_file(tmp_path):
    path = tmp_path / "sensor.340"
    points = "".join(f"{n:3}  {2.0 + n * 0.05:.5f}  {300 * 0.9**n:.5f}\r\n" for n in range(1, 41))
    path.write_bytes(
        b"Sensor Model:\tCX-1050\r\nSerial Number:\tX12345\r\nData Format:\t4\t(Log Ohms)\r\n"
        b"SetPoint Limit:\t325.0\t(Kelvin)\r\nTemperature coefficient:\t1 (Negative)\r\n"
        b"Number of Breakpoints:\t40\r\n\r\nNo.\tUnits\tTemperature (K)\r\n\r\n" + points.encode()
    )
    return path


def test_a_curve_goes_in_comes_out_and_is_deleted(lab, curve_file, tmp_path):
    plug, where = lab.plugs[0], {"channel": 3, "filename": str(curve_file)}
    before = plug.say("CRVHDR? 3")
    (done, text), _ = lab.run("upload_cal_curve", dry_run=True, **where)
    assert done
    assert "is fit: 'CX-1050', 40 points" in text
    assert "Channel 3 holds 'Thin film'" in text
    assert plug.say("CRVHDR? 3") == before
    (done, text), _ = lab.run("upload_cal_curve", overwrite=False, **where)
    assert not done
    assert "say overwrite" in text
    assert plug.say("CRVHDR? 3") == before

    (done, text), session = lab.run("upload_cal_curve", **where)
    assert done, text
    assert "holds 'CX-1050' with 40 points, verified" in text
    assert session.data == {"location": 3, "phase": "verifying", "done": 40, "total": 40}
    copy = tmp_path / "copy.340"
    assert lab.run("download_cal_curve", channel=3, filename=str(copy))[0][0]
    assert "X12345" in copy.read_text()
    assert not lab.run("download_cal_curve", channel=3, filename=str(copy))[0][0]
    assert lab.run("delete_cal_curve", channel=3)[0] == (True, "Channel 3 is empty.")
    (done, text), _ = lab.run("download_cal_curve", channel=3, filename=str(tmp_path / "none"))
    assert not done
    assert "holds no curve" in text


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read"),
        ("hello", "no calibration file"),
        ("[HEADER]\nName: a\nSN: b\nFormat: 3\nLimit: 300\n[DATA]\n1 2\n", "1 points"),
        ("[HEADER]\nName: a\nSN: b\nFormat: 7\nLimit: 300\n[DATA]\n1 2 0\n2 3 0\n", "spline"),
    ],
)
def test_a_file_that_is_not_fit_changes_nothing(lab, tmp_path, content, told):
    path = tmp_path / "bad.340"
    if content is not None:
        path.write_text(content)
    (done, text), _ = lab.run("upload_cal_curve", channel=1, filename=str(path))
    assert not done
    assert told in text
    assert not [line for line in lab.plugs[0].lines if "?" not in line]


def test_while_a_curve_is_written_only_that_inputs_temperature_is_nan(lab, curve_file):
    plug = lab.plugs[0]
    reached, go_on = threading.Event(), threading.Event()
    released = plug.answer

    def answer(line):
        if line.startswith(b"CRVPT 3,20,"):
            reached.set()
        return released(line)

    plug.answer = answer
    lab.start_acq(sampling_frequency=10)
    wait_for(lambda: lab.agent.published, 5, "data")
    module = lab.lakeshore.modules[0]
    assert module.curves.is_whole(3)
    # The writer is held at a point of its own choosing: sweeps go on in between.
    tell = module.driver.tell

    def slow_tell(command, cancel=None):
        tell(command, cancel)
        if command.text.startswith("CRVPT 3,20,"):
            go_on.wait(5)

    module.driver.tell = slow_tell
    upload = threading.Thread(
        target=lambda: lab.run("upload_cal_curve", channel=3, filename=str(curve_file))
    )
    upload.start()
    assert reached.wait(5)
    seen = len(lab.agent.published)
    wait_for(lambda: len(lab.agent.published) > seen + 1, 5, "sweeps meanwhile")
    data = lab.data
    assert math.isnan(data["Channel_3_T"])
    assert data["Channel_3_V"] > 0
    assert 30 < data["Channel_1_T"] < 50
    for op in ("delete_cal_curve", "upload_cal_curve"):
        params = {"filename": str(curve_file)} if op == "upload_cal_curve" else {}
        (done, text), _ = lab.run(op, channel=3, **params)
        assert not done
        assert "being changed already" in text
    (done, text), _ = lab.run("delete_cal_curve", channel=4)
    assert not done
    assert "Another curve is being moved" in text
    assert not module.curves.is_whole(3)
    go_on.set()
    upload.join(10)
    wait_for(lambda: lab.data["Channel_3_T"] > 0, 5, "its temperature again")
    assert not lab.session.degraded


def test_an_upload_that_fails_halfway_leaves_no_temperature_until_it_is_done_again(lab, curve_file):
    plug = lab.plugs[0]
    broken = True

    def answer(line):
        # It goes deaf in the middle of the curve; the connection is made anew afterwards.
        if broken and line.startswith(b"CRVPT? 3,20"):
            return b""
        return plug.tell_instrument(line)

    plug.answer = answer
    lab.start_acq(sampling_frequency=10)
    where = {"channel": 3, "filename": str(curve_file)}
    (done, text), _ = lab.run("upload_cal_curve", **where)
    assert not done
    assert "Channel 3 is empty now, write it again" in text
    wait_for(lambda: lab.session.degraded, 5, "degraded")
    assert any("writing its curve has failed halfway" in told for told in lab.texts())
    assert math.isnan(lab.data["Channel_3_T"])
    broken = False
    assert lab.run("upload_cal_curve", **where)[0][0]
    wait_for(lambda: lab.data["Channel_3_T"] > 0, 5, "its temperature again")
    wait_for(lambda: not lab.session.degraded, 5, "good again")


def test_a_transfer_is_aborted(lab, curve_file):
    plug = lab.plugs[0]

    def answer(line):
        if line.startswith(b"CRVPT? 3,5"):
            lab.agent.tasks["upload_cal_curve"][2](session, None)
        return plug.tell_instrument(line)

    plug.answer = answer
    session = OpSession(0, "upload_cal_curve")
    session.set_status("running")
    (done, text), _ = lab.run("upload_cal_curve", channel=3, filename=str(curve_file))
    assert not done
    assert "is empty now" in text
    assert session.status == "stopping"


def test_several_modules_are_told_apart_by_serial_number(make_lab, make_plug):
    lab = make_lab(make_plug("LSA1"), make_plug("LSA2", channels=2))
    (done, text), _ = lab.run("set_values", channel=1, name="x")
    assert not done
    assert "several modules; say which one: LSA1, LSA2" in text
    assert lab.run("set_values", channel=1, name="x", module="LSA2")[0][0]
    assert lab.plugs[1].say("INNAME? 1").strip() == "x"
    assert lab.plugs[0].say("INNAME? 1").strip() == "40K plate"
    (done, text), _ = lab.run("get_values", channel=3, module="LSA2")
    assert not done
    assert "1 to 2" in text

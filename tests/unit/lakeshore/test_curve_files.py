"""Calibration files of every form that sensors are sold with, and what is wrong with bad ones."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.lakeshore.curve_files import CurveFileError, format_340, parse_curve, read_curve
from agents.lakeshore.curves import Coefficient, Curve, CurveFormat, CurveHeader, CurvePoint

FILE_340 = """\
Sensor Model:\tRX-102A-BR\r
Serial Number:\tU04852\r
Data Format:\t4\t(Log Ohms/Kelvin)\r
SetPoint Limit:\t40.0\t(Kelvin)\r
Temperature coefficient:\t1 (Negative)\r
Number of Breakpoints:\t3\r
\r
No.\tUnits\tTemperature (K)\r
\r
  1\t3.02081\t40.0\r
  2\t3.05186\t10.0\r
  3\t3.30000\t0.85\r
"""

FILE_34A = """\
Name: CX-1050
Serial Number: X104724
Format: 3 ; Ohms/Kelvin
Limit: 325
Coefficient: 1
Point 1: 47.9,300.0
Point 2: 1200.5,20.0
Point 3: 3507.1,4.2
"""

FILE_CURVE = """\
Sensor Model:\tRX-102A
Serial Number:\tU04852
Data Format:\t7\t(Ohms/Kelvin, spline)
SetPoint Limit:\t40

Ohms\tKelvin\tCurvature
1.049E+03\t4.000E+01\t1.0E-05
1.127E+03\t1.000E+01\t2.0E-05
1.995E+03\t8.500E-01\t-3.0E-06
"""

FILE_SECTIONS = """\
[HEADER]
Name = DT-670
SN = D6068043
Format = 4
Limit = 40
Coeff = 1
[DATA]
3.02081, 40.0
3.05186, 10.0
"""

FILE_ONE_LINE = """\
# name, serial, format, limit, coefficient
PT1000, VZ_N6PT, 4, 350, 2
# units, kelvin
3.112935, 350
3.106488, 345
"""

FILE_COF = """\
Number of fit ranges:                   2
FIT RANGE:                              1
Fit type for range 1:                   LOG
Order of fit range 1:                   1
Zlower for fit range 1:                 1.0
Zupper for fit range 1:                 2.0
Lower Resist. limit for fit range 1:    10.0
Upper Resist. limit for fit range 1:    100.0
C(0) Equation 1:                        60.0
C(1) Equation 1:                        -40.0
FIT RANGE:                              2
Fit type for range 2:                   LOG
Order of fit range 2:                   1
Zlower for fit range 2:                 2.0
Zupper for fit range 2:                 3.0
Lower Resist. limit for fit range 2:    100.0
Upper Resist. limit for fit range 2:    1000.0
C(0) Equation 2:                        12.0
C(1) Equation 2:                        -8.0
"""


@pytest.mark.parametrize(
    ("text", "name", "serial", "kind", "points"),
    [
        (FILE_340, "RX-102A-BR", "U04852", CurveFormat.LOG_OHMS, [(3.02081, 40.0), (3.3, 0.85)]),
        (FILE_34A, "CX-1050", "X104724", CurveFormat.OHMS, [(47.9, 300.0), (3507.1, 4.2)]),
        (FILE_SECTIONS, "DT-670", "D6068043", CurveFormat.LOG_OHMS, [(3.02081, 40), (3.05186, 10)]),
        (FILE_ONE_LINE, "PT1000", "VZ_N6PT", CurveFormat.LOG_OHMS, [(3.106488, 345)]),
        (FILE_CURVE, "RX-102A", "U04852", CurveFormat.OHMS_SPLINE, [(1049, 40), (1995, 0.85)]),
    ],
)
def test_every_form_is_read(text, name, serial, kind, points):
    curve = parse_curve(text)
    assert (curve.header.name, curve.header.serial, curve.header.format) == (name, serial, kind)
    found = [(point.units, point.kelvin) for point in curve.points]
    assert set(points) <= set(found)
    assert found == sorted(found)
    assert not curve.problems(list(CurveFormat))


def test_a_spline_keeps_its_curvature():
    assert [point.curvature for point in parse_curve(FILE_CURVE).points] == [1e-5, 2e-5, -3e-6]


def test_a_header_is_read_by_its_keys_not_by_its_order():
    lines = FILE_340.splitlines(keepends=True)
    assert parse_curve("".join([*reversed(lines[:6]), *lines[6:]])) == parse_curve(FILE_340)


def test_a_fit_becomes_points_that_follow_it():
    curve = parse_curve(FILE_COF)
    assert curve.header.format is CurveFormat.LOG_OHMS
    assert curve.header.coefficient is Coefficient.NEGATIVE
    assert 190 <= len(curve.points) <= 200
    assert not curve.problems([CurveFormat.LOG_OHMS])
    # By hand: the first range runs from 100 K at 10 ohms to 20 K at 100, the second down to 4 K.
    for ohm, kelvin in ((10.0, 100.0), (31.6228, 60.0), (100.0, 20.0), (999.99, 4.0)):
        assert curve.kelvin(math.log10(ohm)) == pytest.approx(kelvin, rel=2e-3), ohm


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FILE_340.replace("Breakpoints:\t3", "Breakpoints:\t4"), "line 6 announces 4 points"),
        (FILE_340.replace("3.05186", "3,05186"), "line 11"),
        (FILE_340.replace("10.0\r\n  3", "ten\r\n  3"), "line 11: a number is 'ten'"),
        (FILE_340.replace("Format:\t4", "Format:\t9"), "line 3: the format is"),
        (FILE_340.replace("Serial Number", "Whatever"), "lacks serial"),
        ("hello\nworld\n", "no calibration file"),
        ("", "no calibration file"),
        (FILE_COF.replace("LOG", "CUBIC", 1), "'CUBIC'"),
        (FILE_COF.replace("C(1) Equation 2", "D(1) Equation 2"), "fit range 2 lacks its 'c(1)'"),
        (FILE_ONE_LINE.replace(", 350, 2", ", 350"), "line 2"),
        (FILE_SECTIONS.replace("[DATA]", ""), "no [DATA]"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(text, words):
    with pytest.raises(CurveFileError) as caught:
        parse_curve(text)
    assert words in str(caught.value)


def test_an_error_names_the_file(tmp_path):
    missing = tmp_path / "U04852.340"
    with pytest.raises(CurveFileError, match=r"U04852\.340: cannot be read: No such file"):
        read_curve(missing)
    missing.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CurveFileError, match="it is not text"):
        read_curve(missing)


@given(st.text(max_size=400))
def test_any_text_ends_in_a_curve_or_words(text):
    for candidate in (text, FILE_340 + text, FILE_COF.replace("1.0", text[:5])):
        try:
            assert isinstance(parse_curve(candidate), Curve)
        except CurveFileError as error:
            assert str(error)


points = st.lists(
    st.integers(min_value=1, max_value=999_999), min_size=2, max_size=200, unique=True
).map(
    lambda units: tuple(
        CurvePoint(unit / 1000, (n + 1) / 10) for n, unit in enumerate(sorted(units))
    )
)


@given(points)
def test_what_is_written_is_read_again(points):
    header = CurveHeader("CX-1050", "X1", CurveFormat.OHMS, 325.0, Coefficient.POSITIVE)
    curve = Curve(header, points)
    assert parse_curve(format_340(curve)) == curve

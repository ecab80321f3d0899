from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sisock.http.answers import milliseconds


def test_a_time_close_to_half_a_microsecond_is_rounded_to_the_nearest_one():
    assert milliseconds(np.array([1795397330.1044526]))[0] == 1795397330104.453


@given(st.floats(1.5e9, 2.5e9))
def test_milliseconds_are_the_nearest_microsecond(t):
    (found,) = milliseconds(np.array([t]))
    assert abs(Decimal(float(found)) / 1000 - Decimal(t)) < Decimal("0.75e-6")

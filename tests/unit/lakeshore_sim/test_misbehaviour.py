import pytest

from agents.lakeshore.sim.misbehaviour import FAULTS, BadFault, Misbehaviour, Pace

ANSWER = b"+293.873E+00"


class Time:
    now = 0.0

    def __call__(self):
        return self.now


def make(seed=1, clock=lambda: 0.0):
    return Misbehaviour(Pace(0.05, 0.0, 0.065), clock, seed=seed)


def sent(fault, argument=None, seed=1):
    it = make(seed)
    it.begin(fault, argument)
    return it.deliver(ANSWER)


def data(delivery):
    return b"".join(chunk.data for chunk in delivery.chunks)


def test_without_a_fault_an_answer_is_an_answer():
    delivery = make().deliver(ANSWER)
    assert [(chunk.data, chunk.delay_s) for chunk in delivery.chunks] == [(ANSWER + b"\r\n", 0.0)]
    assert delivery.spoiled_by is None


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_never_an_answer(seed):
    noise = data(sent("garbage", seed=seed))
    assert noise.endswith(b"\r\n")
    assert not noise.removesuffix(b"\r\n").isascii()
    assert not set(noise) & set(b"0123456789")
    assert noise.count(b"\n") == 1


def test_a_truncated_answer_is_a_beginning():
    beginnings = {data(sent("truncated", seed=seed)) for seed in range(100)}
    # From nothing at all to everything but the end.
    assert beginnings == {ANSWER[:length] for length in range(len(ANSWER) + 1)}


@pytest.mark.parametrize(
    ("argument", "end"),
    [(None, b"\n"), ("lf", b"\n"), ("cr", b"\r"), ("lfcr", b"\n\r"), ("none", b"")],
)
def test_wrong_ends(argument, end):
    assert data(sent("wrong_terminator", argument)) == ANSWER + end


@pytest.mark.parametrize("seed", range(20))
def test_a_split_answer_is_whole_in_the_end(seed):
    delivery = sent("split", "0.1", seed=seed)
    assert data(delivery) == ANSWER + b"\r\n"
    assert [chunk.delay_s for chunk in delivery.chunks] == [0.0, 0.1, 0.1]
    assert all(chunk.data for chunk in delivery.chunks)
    assert delivery.spoiled_by is None


def test_an_extra_line_and_silence():
    assert data(sent("extra_line")) == (ANSWER + b"\r\n") * 2
    silent = sent("silent")
    assert (silent.chunks, silent.spoiled_by) == ((), "silent")


def test_slow():
    assert [chunk.delay_s for chunk in sent("slow", "2.5").chunks] == [2.5]
    assert [chunk.delay_s for chunk in sent("slow").chunks] == [1.0]


def test_a_share_of_the_answers():
    it = make()
    it.begin("silent", "0.25")
    lost = sum(not it.deliver(ANSWER).chunks for _ in range(1000))
    assert 200 < lost < 300


def test_faults_add_up():
    it = make()
    it.begin("slow", "0.5")
    it.begin("wrong_terminator", "cr")
    it.begin("extra_line")
    (chunk,) = it.deliver(ANSWER).chunks
    assert (chunk.delay_s, chunk.data) == (0.5, (ANSWER + b"\r") * 2)
    it.end("wrong_terminator")
    assert it.deliver(ANSWER).chunks[0].data == (ANSWER + b"\r\n") * 2


def test_the_same_seed_does_the_same():
    def run(seed):
        it = make(seed)
        for fault in ("garbage", "truncated", "split"):
            it.begin(fault, "0.5")
        return [it.deliver(ANSWER) for _ in range(50)]

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_messages_that_come_too_soon_after_a_command_are_lost():
    time = Time()
    it = make(clock=time)
    it.begin("strict_pace")
    assert it.hears(b"SCAN 1,0")
    time.now = 0.049
    assert not it.hears(b"SCAN?")
    time.now = 0.051
    assert it.hears(b"SCAN?")
    # After a query the next may come at once.
    assert it.hears(b"SCAN?")
    assert it.hears(b"SCAN 2,0")
    assert not it.hears(b"SCAN 3,0")


def test_some_curve_points_are_lost_up_to_65_ms():
    def kept(gap_s):
        time = Time()
        it = make(clock=time)
        it.begin("strict_pace")
        heard = 0
        for index in range(200):
            heard += it.hears(b"CRVPT 21,%d,100.0,4.2" % index)
            time.now += gap_s
        return heard

    assert kept(0.03) <= 101
    assert 100 < kept(0.055) < 180
    assert kept(0.066) == 200


def test_without_that_every_message_is_heard():
    it = make()
    assert all(it.hears(b"CRVPT 21,1,100.0,4.2") for _ in range(100))


@pytest.mark.parametrize(
    ("fault", "argument", "told"),
    [
        ("nonsense", None, "disconnect, refuse"),
        ("refuse", "1", "takes no argument"),
        ("slow", "fast", "seconds above 0 and up to 600"),
        ("slow", "nan", "seconds above 0"),
        ("slow", "-1", "seconds above 0"),
        ("garbage", "1.5", "a share above 0 and up to 1"),
        ("wrong_terminator", "crlf", "lf, cr, lfcr, none"),
    ],
)
def test_what_cannot_be_had(fault, argument, told):
    it = make()
    with pytest.raises(BadFault, match=told):
        it.begin(fault, argument)
    assert it.deliver(ANSWER).spoiled_by is None


def test_every_fault_can_be_had_without_an_argument():
    it = make()
    for fault in FAULTS:
        it.check(fault, None)

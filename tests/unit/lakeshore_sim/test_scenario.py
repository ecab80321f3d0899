from pathlib import Path

import pytest

from agents.lakeshore.sim.misbehaviour import FAULTS
from agents.lakeshore.sim.player import ScenarioPlayer
from agents.lakeshore.sim.scenario import (
    BadScenario,
    Clear,
    Inject,
    parse_scenario,
    read_scenario,
    shipped_scenarios,
)
from agents.lakeshore240.sim_instrument import make_instrument as make_240
from agents.lakeshore372.sim_build import make_instrument as make_372

KNOWN = (*FAULTS, "overrange", "frozen")

DAY = """\
description: A day.
seed: 5
repeat: 2
steps:
  - after: 5
    fault: slow
    target: 0.5
    for: 10
  - after: [1, 3]
    choose:
      - {fault: garbage, for: 1}
      - {fault: overrange, target: 2, for: 1}
      - {clear: slow}
  - clear: all
"""


def test_a_scenario_is_read():
    scenario = parse_scenario(DAY, "day.yaml", KNOWN)
    assert (scenario.description, scenario.seed, scenario.repeat) == ("A day.", 5, 2)
    first, second, last = scenario.steps
    assert (first.after_s, first.actions) == ((5, 5), (Inject("slow", "0.5", 10),))
    assert second.after_s == (1, 3)
    assert second.actions == (
        Inject("garbage", None, 1),
        Inject("overrange", "2", 1),
        Clear("slow"),
    )
    assert (last.after_s, last.actions) == ((0, 0), (Clear(None),))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "day.yaml: the file is empty"),
        ("steps: [", "day.yaml, line 1: not YAML"),
        ("- fault: slow", "line 1: keys were expected here: description, repeat, seed, steps"),
        ("seed: 1", "line 1: steps are missing"),
        ("steps: []", "line 1: steps is a list"),
        ("steps:\n  - fault: slow\n  - fault: slwo", "line 3: there is no fault 'slwo'; there are"),
        ("steps:\n  - fault: slow\n    fro: 3", "line 3: 'fro' is none of after, choose, clear"),
        ("steps:\n  - fault: slow\n    fault: slow", "line 3: 'fault' is there twice"),
        ("steps:\n  - fault: slow\n    for: 0", "line 3: for is '0', not a time"),
        ("steps:\n  - fault: slow\n    for: .nan", "line 3: for is '.nan', not a time"),
        ("steps:\n  - after: -1\n    fault: slow", "line 2: after is '-1', not a time"),
        ("steps:\n  - after: [3, 1]\n    fault: slow", "line 2: after is a time, or the shortest"),
        ("steps:\n  - after: 1", "line 2: a step has one of fault, clear and choose"),
        ("steps:\n  - {fault: slow, clear: all}", "line 2: a step has one of"),
        ("steps:\n  - {clear: all, for: 3}", "line 2: beside clear"),
        ("steps:\n  - {choose: [{fault: slow}], for: 3}", "line 2: beside choose"),
        ("steps:\n  - choose:\n      - {fault: slow, after: 3}", "line 3: 'after' is none of"),
        ("repeat: often\nsteps:\n  - fault: slow", "line 1: repeat is 'often', not a whole"),
        ("repeat: forever\nsteps:\n  - fault: slow", "line 1: repeated for ever"),
        ("seed: -3\nsteps:\n  - fault: slow", "line 1: seed is '-3'"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text, told):
    with pytest.raises(BadScenario) as raised:
        parse_scenario(text, "day.yaml", KNOWN)
    assert told in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BadScenario, match=r"No such file.*bad-day, cable-unplugged, overrange"):
        read_scenario(str(tmp_path / "no.yaml"), KNOWN)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadScenario, match="not UTF-8"):
        read_scenario(str(tmp_path / "binary.yaml"), KNOWN)


@pytest.mark.parametrize("name", sorted(shipped_scenarios()))
@pytest.mark.parametrize("make", [make_240, make_372])
def test_the_shipped_ones_suit_both_instruments(name, make):
    known = {**FAULTS, **make().conditions()}
    assert read_scenario(name, known).description


def play(rig, text, tmp_path, seconds):
    """Play a scenario and return which faults began or ended when."""
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    player = ScenarioPlayer(rig.board, rig.clock)
    player.play(str(path))
    rig.clock.pump([0.25] * (seconds * 4))
    notes = [note for note in rig.notes() if "fault" in note]
    return player, [(note["time"], note["fault"], note["state"]) for note in notes]


def test_a_scenario_is_played_in_its_time(rig, tmp_path):
    text = """
repeat: 2
steps:
  - {after: 5, fault: slow, for: 2}
  - {after: 1, fault: frozen, target: 2}
  - {after: 3, clear: all}
"""
    player, seen = play(rig, text, tmp_path, 19)
    once = [
        (5, "slow", "begin"),
        (6, "frozen", "begin"),
        (7, "slow", "end"),
        (9, "frozen", "end"),
    ]
    assert seen == [*once, *[(at + 9, name, state) for at, name, state in once]]
    assert player.playing is None
    assert rig.clock.getDelayedCalls() == []


def test_what_is_drawn_follows_from_the_seed(make_rig, tmp_path):
    text = """
seed: SEED
repeat: forever
steps:
  - after: [1, 5]
    choose: [{fault: slow, for: 1}, {fault: silent, for: 1}, {fault: frozen, for: 1}]
"""

    def run(seed):
        return play(make_rig(), text.replace("SEED", str(seed)), tmp_path, 120)[1]

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert {name for _, name, _ in run(1)} == {"slow", "silent", "frozen"}


def test_what_this_instrument_does_not_have_is_passed_over(rig, tmp_path):
    text = """
steps:
  - {after: 1, fault: frozen, target: 7}
  - {after: 1, fault: frozen, target: 2}
"""
    assert play(rig, text, tmp_path, 3)[1] == [(2, "frozen", "begin")]


def test_another_scenario_takes_the_place_of_the_first(rig, tmp_path):
    (tmp_path / "a.yaml").write_text("steps: [{after: 5, fault: slow}]")
    (tmp_path / "b.yaml").write_text("steps: [{after: 9, fault: frozen}]")
    player = ScenarioPlayer(rig.board, rig.clock)
    player.play(str(tmp_path / "a.yaml"))
    player.play(str(tmp_path / "b.yaml"))
    assert player.playing == str(tmp_path / "b.yaml")
    with pytest.raises(BadScenario):
        player.play(str(tmp_path / "none.yaml"))
    assert player.playing == str(tmp_path / "b.yaml")
    rig.clock.advance(6)
    assert rig.board.active() == []
    rig.clock.advance(14)
    assert [fault.name for fault in rig.board.active()] == ["frozen"]


def test_the_documentation_says_what_there_is():
    page = (Path(__file__).parents[3] / "docs" / "simulators.md").read_text()
    for make in (make_240, make_372):
        for name in {**FAULTS, **make().conditions()}:
            assert f"`{name}`" in page
    for name in shipped_scenarios():
        assert f"| `{name}` |" in page
    start = page.index("    description: What a bad day")
    example = page[start : page.index("\n\n", start)]
    known = {**FAULTS, **make_240().conditions()}
    assert len(parse_scenario(example, "simulators.md", known).steps) == 3

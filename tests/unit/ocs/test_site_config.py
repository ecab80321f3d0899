"""Site configuration: what is chosen, what wins, and what a person is told."""

import argparse
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ocs import site_config
from ocs.site_config import ArgContainer, SiteConfigError

HUB = {
    "wamp_server": "ws://127.0.0.1:8001/ws",
    "wamp_http": "http://127.0.0.1:8001/call",
    "wamp_realm": "test_realm",
    "address_root": "observatory",
}
THERMOMETER = {
    "agent-class": "Lakeshore372Agent",
    "instance-id": "LSA23JD",
    "arguments": [["--serial-number", "LSA23JD"], ["--ip-address", "10.10.10.6"]],
}


def site(
    *instances: dict[str, Any], hub: dict[str, Any] | None = None, **host: Any
) -> dict[str, Any]:
    return {
        "hub": {**HUB, **(hub or {})},
        "hosts": {"lab": {"agent-instances": list(instances) or [THERMOMETER], **host}},
    }


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write a site file, text or data, as the default of this machine, host lab."""
    monkeypatch.setenv("OCS_CONFIG_DIR", str(tmp_path))
    monkeypatch.setattr(socket, "gethostname", lambda: "lab")

    def write(config: Any, name: str = "default") -> Path:
        path = tmp_path / f"{name}.yaml"
        text = config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def thermometer_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="LS372_agent.py")
    parser.add_argument("--serial-number")
    parser.add_argument("--ip-address")
    parser.add_argument("--mode", default="idle")
    parser.add_argument("--channels", type=int, action="append")
    parser.add_argument("--fake", action="store_true")
    parser.add_argument("--offset", type=float)
    return parser


def resolve(*args: str, agent_class: str = "Lakeshore372Agent") -> argparse.Namespace:
    return site_config.resolve_args(agent_class, thermometer_parser(), args, echo=lambda line: None)


def refusal(*args: str, agent_class: str = "Lakeshore372Agent") -> str:
    with pytest.raises(SiteConfigError) as error:
        resolve(*args, agent_class=agent_class)
    assert "\n" not in str(error.value)
    return str(error.value)


class TestChoice:
    def test_everything_is_filled_in(self, configure):
        path = configure(site(crossbar_timeout=30, **{"log-dir": "log"}))
        args = resolve("--instance-id=LSA23JD")
        assert args.serial_number == "LSA23JD"
        assert args.ip_address == "10.10.10.6"
        assert args.site_hub == HUB["wamp_server"]
        assert args.site_http == HUB["wamp_http"]
        assert args.site_realm == "test_realm"
        assert args.address_root == "observatory"
        assert args.instance_id == "LSA23JD"
        assert args.agent_class == "Lakeshore372Agent"
        assert args.crossbar_timeout == 30
        assert args.log_dir == "log"
        assert args.working_dir == str(Path.cwd())
        assert args.site_file == str(path)

    def test_the_router_is_waited_for_for_ever_by_default(self, configure):
        configure(site())
        assert resolve().crossbar_timeout == 0

    def test_an_instance_is_found_by_its_class(self, configure):
        configure(site({"agent-class": "RegistryAgent", "instance-id": "registry"}, THERMOMETER))
        assert resolve().instance_id == "LSA23JD"

    def test_another_host_falls_back_to_localhost(self, configure):
        config = site()
        config["hosts"] = {"localhost": config["hosts"]["lab"]}
        configure(config)
        assert resolve().instance_id == "LSA23JD"

    def test_a_client_needs_no_host(self, configure):
        config = site()
        config["hosts"] = {}
        configure(config)
        assert resolve(agent_class="*control*").address_root == "observatory"

    def test_a_host_program_needs_no_instance(self, configure):
        configure(site())
        assert resolve(agent_class="*host*").instance_id is None

    def test_a_named_site_and_a_named_file(self, configure):
        path = configure(site(hub={"wamp_realm": "yale_realm"}), name="yale")
        assert resolve("--site=yale").site_realm == "yale_realm"
        assert resolve(f"--site-file={path}").site_realm == "yale_realm"

    def test_site_none_uses_no_file(self, monkeypatch):
        monkeypatch.delenv("OCS_CONFIG_DIR", raising=False)
        args = resolve(
            "--site=none",
            "--site-hub=ws://h:1/ws",
            "--site-realm=r",
            "--address-root=root",
            "--instance-id=i",
        )
        assert (args.site_hub, args.address_root, args.instance_id) == ("ws://h:1/ws", "root", "i")
        assert args.crossbar_timeout == 0

    def test_site_none_says_what_an_agent_lacks(self):
        assert "--site-realm, --address-root" in refusal(
            "--site=none", "--site-hub=ws://h:1/ws", "--instance-id=i"
        )

    def test_the_seeds_template_is_valid(self):
        root = Path(__file__).parents[3]
        config = site_config.SiteConfig.from_yaml(
            root / "site-configs" / "templates" / "ocs_template.yaml"
        )
        ids = [entry["instance-id"] for entry in config.hosts["hostname"].instances]
        assert ids == ["LSA22YE", "ls240", "aggregator", "registry"]

    @pytest.mark.parametrize(
        ("manage", "meaning"),
        [
            (None, "host/up"),
            ("up", "host/up"),
            ("down", "host/down"),
            ("docker", "docker/up"),
            (True, "host/up"),
            (False, "ignore"),
            ("yes", "host/up"),
            ("docker/down", "docker/down"),
        ],
    )
    def test_manage(self, manage, meaning):
        data = {"instance-id": "a", "manage": manage}
        assert site_config.InstanceConfig.from_dict(data).manage == meaning

    def test_crossbar(self, tmp_path):
        binary = tmp_path / "crossbar"
        binary.touch()
        section = {"config-dir": "dot", "bin": str(binary)}
        crossbar = site_config.CrossbarConfig.from_dict(section)
        assert crossbar is not None
        assert crossbar.get_cmd("start") == [str(binary), "start", "--cbdir", "dot"]
        assert "'config-dir': 'dot'" in crossbar.summary()
        assert site_config.CrossbarConfig.from_dict(None) is None
        binary.unlink()
        with pytest.raises(SiteConfigError, match="does not exist"):
            crossbar.get_cmd("start")


class TestPrecedence:
    def test_command_line_over_instance(self, configure):
        configure(site())
        args = resolve("--serial-number=X")
        assert (args.serial_number, args.ip_address) == ("X", "10.10.10.6")

    def test_instance_over_host_over_hub(self, configure):
        there = {**THERMOMETER, "arguments": ["--site-hub", "ws://instance:1/ws"]}
        config = site(there, wamp_server="ws://host:1/ws", wamp_realm="host_realm")
        configure(config)
        assert resolve().site_hub == "ws://instance:1/ws"
        assert resolve().site_realm == "host_realm"
        assert resolve("--site-hub=ws://typed:1/ws").site_hub == "ws://typed:1/ws"

    @pytest.mark.parametrize("file", [["--mode=y"], ["--mode", "y"], [["--mode", "y"]]])
    @pytest.mark.parametrize("typed", [["--mode=z"], ["--mode", "z"]])
    def test_one_option_in_two_spellings(self, configure, file, typed):
        configure(site({**THERMOMETER, "arguments": file}))
        assert resolve().mode == "y"
        assert resolve(*typed).mode == "z"

    def test_a_typed_option_replaces_all_values_of_the_file(self, configure):
        configure(site({**THERMOMETER, "arguments": [["--channels", 1], ["--channels", 2]]}))
        assert resolve().channels == [1, 2]
        assert resolve("--channels=3", "--channels=4").channels == [3, 4]

    def test_numbers_flags_and_empty_text(self, configure):
        arguments = ["--offset", -5, "--fake", ["--serial-number", ""]]
        configure(site({**THERMOMETER, "arguments": arguments}))
        args = resolve()
        assert (args.offset, args.fake, args.serial_number) == (-5.0, True, "")

    def test_the_settings_of_the_file_are_told(self, configure, capsys):
        configure(site())
        parser = thermometer_parser()
        site_config.parse_args("Lakeshore372Agent", parser, ["--instance-id=LSA23JD"])
        assert capsys.readouterr().out.splitlines() == [
            'site_config is setting values of "serial_number" to "LSA23JD".',
            'site_config is setting values of "ip_address" to "10.10.10.6".',
        ]

    def test_what_the_command_line_overrides_is_not_told(self, configure):
        configure(site({**THERMOMETER, "arguments": ["--fake", "--mode", "acq", "--offset=1"]}))
        told: list[str] = []
        site_config.resolve_args(
            "Lakeshore372Agent", thermometer_parser(), ["--mode=idle"], echo=told.append
        )
        assert told == [
            'site_config is setting values of "fake" to "True".\n',
            'site_config is setting values of "offset" to "1".\n',
        ]


class TestArgContainer:
    def test_positional_words_come_first_and_the_rest_last(self):
        container = ArgContainer(["--nums", "1", "2", "--", "-x"])
        container.update(ArgContainer(["scan", "--verbose", "-5", "", "-"]))
        words = ["scan", "--nums", "1", "2", "--verbose", "-5", "", "-", "--", "-x"]
        assert container.to_list() == words

    @given(
        st.lists(
            st.sampled_from(["scan", "x", "", "-5", "-", "--a", "--b", "-c", "--a=1", "--a=-2"])
        )
    )
    def test_a_lone_command_line_is_left_as_it_is(self, words):
        assert ArgContainer(words).to_list() == words
        assert len(ArgContainer(words).names()) == len(set(ArgContainer(words).names()))


class TestRefusals:
    """One line that names the file, the key or the line, what was found and what is allowed."""

    def test_a_misspelt_instance(self, configure):
        path = configure(site())
        assert refusal("--instance-id=LSA23JX") == (
            f"{path}: no instance 'LSA23JX' on host 'lab'; known: LSA23JD; did you mean 'LSA23JD'?"
        )

    def test_an_instance_of_another_host(self, configure):
        config = site()
        config["hosts"]["dome"] = {"agent-instances": [{"instance-id": "weather"}]}
        configure(config)
        assert "belongs to host 'dome': use --site-host=dome" in refusal("--instance-id=weather")
        assert resolve("--instance-id=weather", "--site-host=dome").instance_id == "weather"

    def test_no_instance_of_the_class(self, configure):
        configure(site())
        text = refusal(agent_class="Lakeshore327Agent")
        assert "no instance of class Lakeshore327Agent" in text
        assert "known: LSA23JD (Lakeshore372Agent)" in text
        assert "did you mean 'Lakeshore372Agent'?" in text

    def test_several_instances_of_the_class(self, configure):
        configure(site(THERMOMETER, {**THERMOMETER, "instance-id": "LSA22YE"}))
        assert "LSA23JD, LSA22YE; choose one with --instance-id" in refusal()

    def test_an_unknown_host(self, configure):
        configure(site())
        config = site()
        config["hosts"] = {"labs": config["hosts"]["lab"]}
        path = configure(config)
        assert refusal() == (
            f"{path}: hosts has neither 'lab' nor 'localhost'; known: labs; "
            "did you mean 'labs'?; choose one with --site-host"
        )

    def test_the_directory_is_not_set(self, monkeypatch):
        monkeypatch.delenv("OCS_CONFIG_DIR", raising=False)
        assert "OCS_CONFIG_DIR is not set" in refusal()

    def test_site_and_site_file_together(self, configure):
        configure(site())
        assert "exclude each other" in refusal("--site=a", "--site-file=b")

    def test_a_missing_file(self, configure, tmp_path):
        configure(site(), name="yale")
        assert refusal("--site=yael") == (
            f"{tmp_path}/yael.yaml: no such file; sites in {tmp_path}: yale; did you mean 'yale'?"
        )
        assert "nor the directory" in refusal("--site-file=/nowhere/x.yaml")

    def test_an_empty_file(self, configure):
        configure("# nothing\n")
        assert "the file is empty" in refusal()

    def test_text_that_is_not_utf8(self, configure):
        configure("").write_bytes(b"hub: \xff\n")
        assert "not UTF-8 text (byte 5)" in refusal()

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("hub:\n  a: 1\n b: 2\n", "line 3, column 2"),
            ("hub: [1, 2\n", "line 2, column 1"),
            ("hub: *nobody\n", "line 1, column 6"),
            ("hub:\n\ta: 1\n", "line 2, column 1"),
        ],
    )
    def test_broken_yaml(self, configure, text, place):
        path = configure(text)
        assert refusal().startswith(f"{path}, {place}: not valid YAML: ")

    def test_a_key_given_twice(self, configure):
        path = configure("hub: {}\nhosts: {}\nhub: {}\n")
        assert refusal() == f"{path}, line 3: hub: given twice; the first is in line 1"

    def test_a_document_inside_itself(self, configure):
        configure("hub: &a [*a]\n")
        assert "hub[0]: refers to itself" in refusal()

    @pytest.mark.parametrize(
        ("change", "line", "text"),
        [
            ("wamp_http: http", 3, "hub.wamp_http: unknown key; allowed: wamp_server, wamp_h"),
            ("wamp_realm: 5", 4, "hub.wamp_realm: found 5 (int); it must be text; put it in quot"),
            ("wamp_server: localhost:8001", 2, "hub.wamp_server: found 'localhost:8001'; it must"),
            ("manage: hots/up", 10, "].manage: found 'hots/up'; allowed: host/up, host/down"),
            ("instance-id: a.b", 9, "].instance-id: found 'a.b'; an instance-id is not empty and"),
            ("arguments: --mode", 11, "].arguments: found '--mode' (str); it must be a list such"),
            ("crossbar_timeout: soon", 12, "lab.crossbar_timeout: found 'soon' (str); it must be"),
            ("crossbar_timeout: .nan", 12, "lab.crossbar_timeout: found nan (float); it must be"),
            ("log-dir: []", 13, "hosts.lab.log-dir: found [] (list); it must be text"),
        ],
    )
    def test_a_wrong_value(self, configure, change, line, text):
        lines = [
            "hub:",
            "  wamp_server: ws://localhost:8001/ws",
            "  wamp_http: http://localhost:8001/call",
            "  wamp_realm: test_realm",
            "  address_root: observatory",
            "hosts:",
            "  lab:",
            "    agent-instances:",
            "    - instance-id: LSA23JD",
            "      manage: up",
            "      arguments: []",
            "    crossbar_timeout: 0",
            "    log-dir: log",
        ]
        if text.startswith("hub.wamp_http: unknown"):
            lines[2] = "  wamp_htpp: x"
            text = text.replace("hub.wamp_http", "hub.wamp_htpp")
        else:
            indent = lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip(" -"))]
            lines[line - 1] = indent + change
        path = configure("\n".join(lines))
        found = refusal()
        assert found.startswith(f"{path}, line {line}: ")
        assert text in found

    @pytest.mark.parametrize(
        ("config", "text"),
        [
            ([], "found [] (list); it must be a mapping with the keys hub, hosts"),
            ({"hub": HUB}, "the key 'hosts' is missing; found: hub"),
            ({"hub": HUB, "host": {}}, "host: unknown key; allowed: hub, hosts; did you mean 'ho"),
            ({"hub": None, "hosts": {}}, "hub: found nothing; it must be a mapping"),
            ({"hub": HUB, "hosts": {"lab": {}}}, "hosts.lab: the key 'agent-instances' is missi"),
            ({"hub": HUB, "hosts": {5: {}}}, "the host name 5 is a int to YAML; put it in quotes"),
            ({"hub": HUB, "hosts": []}, "hosts: found [] (list); it must be a mapping from host"),
            (
                site(THERMOMETER, THERMOMETER),
                "[1].instance-id: 'LSA23JD' is already taken by hosts.lab.agent-instances[0]",
            ),
            (site({"instance-id": "a", "arguments": [[None]]}), "arguments[0][0]: found nothing"),
            (site({"agent-class": "A"}), "agent-instances[0]: the key 'instance-id' is missing"),
            (site(log_dir="x"), "hosts.lab.log_dir: unknown key"),
        ],
    )
    def test_a_wrong_structure(self, configure, config, text):
        path = configure(config)
        found = refusal()
        assert found.startswith(str(path))
        assert text in found

    def test_an_option_of_the_file_that_the_agent_does_not_know(self, configure):
        configure(site({**THERMOMETER, "arguments": [["--serial-numbr", "X"]]}))
        text = refusal()
        assert "agent-instances[0].arguments: LS372_agent.py does not know --serial-numbr X" in text
        assert "did you mean '--serial-number'?" in text

    def test_a_value_of_the_file_that_the_agent_does_not_accept(self, configure):
        configure(site({**THERMOMETER, "arguments": [["--offset", "much"]]}))
        assert "[0].arguments: argument --offset: invalid float value: 'much'" in refusal()

    def test_a_typed_address_of_another_kind(self, configure):
        configure(site())
        assert refusal("--site-hub=http://x").startswith("--site-hub: found 'http://x'")

    def test_notes_in_a_site_file_are_no_mistakes(self, configure):
        configure({**site(), "maintainer": "Brian"})
        assert resolve().instance_id == "LSA23JD"


class TestPrograms:
    """What ends a program, and how."""

    def test_one_line_and_status_2(self, configure, capsys):
        configure(site())
        with pytest.raises(SystemExit) as end:
            site_config.parse_args(
                "Lakeshore372Agent", thermometer_parser(), ["--instance-id=LSA23JX"]
            )
        assert end.value.code == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("LS372_agent.py: error: ")
        assert len(captured.err.splitlines()) == 1

    def test_typed_mistakes_end_as_argparse_does(self, configure, capsys):
        configure(site())
        for words in (["--bogus"], ["--offset=much"], ["--site-host"]):
            with pytest.raises(SystemExit) as end:
                resolve(*words)
            assert end.value.code == 2
            assert "LS372_agent.py: error: " in capsys.readouterr().err

    def test_help_needs_no_configuration(self, monkeypatch, capsys):
        monkeypatch.delenv("OCS_CONFIG_DIR", raising=False)
        with pytest.raises(SystemExit) as end:
            site_config.parse_args("A", thermometer_parser(), ["--help"])
        assert end.value.code == 0
        assert "--site-realm" in capsys.readouterr().out

    def test_a_parser_that_has_the_options_is_left_alone(self):
        parser = site_config.add_arguments(thermometer_parser())
        before = parser.format_help()
        assert site_config.add_arguments(parser) is parser
        assert parser.format_help() == before

    def test_an_option_of_the_agent_that_clashes_is_no_secret(self):
        parser = argparse.ArgumentParser()
        parser.add_argument("--site")
        with pytest.raises(argparse.ArgumentError, match="--site"):
            site_config.add_arguments(parser)

    def test_without_arguments_the_command_line_is_read(self, configure, monkeypatch):
        configure(site())
        monkeypatch.setattr("sys.argv", ["LS372_agent.py", "--serial-number=X"])
        args = site_config.parse_args("Lakeshore372Agent", thermometer_parser())
        assert args.serial_number == "X"


class TestReparseArgs:
    def parse(self, *words: str) -> argparse.Namespace:
        return site_config.add_arguments(thermometer_parser()).parse_args(words)

    def test_the_file_wins_and_is_told(self, configure, capsys):
        configure(site())
        args = self.parse("--serial-number=X", "--instance-id=LSA23JD")
        assert site_config.reparse_args(args, "Lakeshore372Agent") is args
        assert args.serial_number == "LSA23JD"
        assert args.site_hub == HUB["wamp_server"]
        assert (
            'site_config is setting values of "serial_number" to "LSA23JD".\n'
            in capsys.readouterr().out
        )

    def test_site_none_leaves_everything(self):
        args = self.parse("--site=none")
        before = vars(args).copy()
        site_config.reparse_args(args, "Lakeshore372Agent")
        assert vars(args) == before

    def test_what_is_no_pair_is_named(self, configure, capsys):
        configure(site({**THERMOMETER, "arguments": ["--fake"]}))
        with pytest.raises(SystemExit):
            site_config.reparse_args(self.parse(), "Lakeshore372Agent")
        assert "arguments[0]: found '--fake'; this agent wants pairs" in capsys.readouterr().err


class TestControlClient:
    def test_by_default_site(self, configure):
        configure(site())
        client = site_config.get_control_client("LSA23JD", args=[])
        assert client.agent_addr == "observatory.LSA23JD"
        assert client.call_url == HUB["wamp_http"]

    def test_by_parsed_options(self, configure):
        configure(site(), name="yale")
        args = resolve("--site=yale", agent_class="*control*")
        assert site_config.get_control_client("x", args=args).call_url == HUB["wamp_http"]
        # Options that were filled in can be resolved once more.
        assert site_config.get_config(args, "*control*").site is not None

    def test_by_site(self):
        config = site_config.SiteConfig.from_dict(site())
        assert site_config.get_control_client("x", site=config).agent_addr == "observatory.x"

    def test_without_a_file(self):
        args = ["--site=none", "--site-http=http://h/call", "--address-root=r"]
        assert site_config.get_control_client("x", args=args).agent_addr == "r.x"

    def test_without_an_http_address(self, configure):
        configure(site(hub={"wamp_http": None}))
        with pytest.raises(SiteConfigError, match=r"set hub\.wamp_http"):
            site_config.get_control_client("x", args=[])

    def test_other_kinds(self):
        with pytest.raises(ValueError, match="'wampy' is not supported"):
            site_config.get_control_client("x", args=[], client_type="wampy")

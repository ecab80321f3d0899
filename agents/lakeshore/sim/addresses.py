"""``HOST:PORT`` on the simulators' command lines."""

import argparse

__all__ = ["host_and_port"]

_LOCAL = "127.0.0.1"


def host_and_port(text: str) -> tuple[str, int]:
    """Read ``HOST:PORT``; a port alone, or ``:PORT``, is one of this machine.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT with a port up to 65535")
    return host.removeprefix("[").removesuffix("]") or _LOCAL, int(port)

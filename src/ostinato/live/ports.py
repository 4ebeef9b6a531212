"""MIDI ports, by mido."""

from collections.abc import Iterator, Sequence
from typing import Any

import mido  # type: ignore[import-untyped]

from ostinato.errors import OstinatoError, SettingsError

VIRTUAL = "virtual"
"""The name that makes a new port, which other programs connect to; `virtual:NAME` calls it NAME."""
_CLIENT_NAME = "Ostinato"
_LOOPBACK = "Midi Through"  # of every Linux: whoever plays there hears himself


class PortError(OstinatoError):
    """A MIDI port that cannot be opened, or that is gone."""


class MidoInput:
    """An input port of mido."""

    def __init__(self, port: Any) -> None:
        self.name: str = port.name
        self._port = port

    def pending(self) -> Iterator[bytes]:
        """The messages that came since the last call.

        Raises:
            PortError: if the port is gone.
        """
        try:
            for message in self._port.iter_pending():
                yield bytes(message.bytes())
        except (OSError, RuntimeError, ValueError) as error:
            raise PortError(f"the input port {self.name} is gone: {_reason(error)}") from error

    def close(self) -> None:
        """Close the port."""
        self._port.close()


class MidoOutput:
    """An output port of mido."""

    def __init__(self, port: Any) -> None:
        self.name: str = port.name
        self._port = port

    def send(self, message: bytes) -> None:
        """Send a MIDI message.

        Raises:
            PortError: if the port is gone.
        """
        try:
            self._port.send(mido.Message.from_bytes(message))
        except (OSError, RuntimeError, ValueError) as error:
            raise PortError(f"the output port {self.name} is gone: {_reason(error)}") from error

    def close(self) -> None:
        """Close the port."""
        self._port.close()


def port_names() -> tuple[list[str], list[str]]:
    """The names of the input ports and of the output ports.

    Raises:
        PortError: if the system has no MIDI.
        ImportError: if the backend of mido is not installed.
    """
    try:
        return list(mido.get_input_names()), list(mido.get_output_names())
    except (OSError, RuntimeError, ValueError) as error:
        raise PortError(f"this system's MIDI ports cannot be listed: {_reason(error)}") from error


def open_input(name: str | None) -> MidoInput:
    """Open the port that the player plays on.

    Args:
        name: its name, or a part that no other name has; "virtual" makes one; None takes the only one there is.

    Raises:
        SettingsError: if no port or several have that name.
        PortError: if it cannot be opened.
    """
    return MidoInput(_open("input", name))


def open_clock(name: str, input_port: MidoInput) -> MidoInput:
    """Open the port that a MIDI clock comes from.

    Args:
        name: as for `open_input`.
        input_port: it may be this one, which is not opened twice: not every system allows it.

    Raises:
        SettingsError: if no port or several have that name.
        PortError: if it cannot be opened.
    """
    return input_port if _found("clock", name)[0] == input_port.name else MidoInput(_open("clock", name))


def open_output(name: str | None) -> MidoOutput:
    """Open the port that everything sounds on; arguments and errors are those of `open_input`."""
    return MidoOutput(_open("output", name))


def _open(direction: str, asked: str | None) -> Any:
    opener = mido.open_output if direction == "output" else mido.open_input
    name, is_virtual = _found(direction, asked)
    try:
        # The client's name is what patchbays show before the port's; mido takes one for virtual ports only.
        return opener(name, virtual=True, client_name=_CLIENT_NAME) if is_virtual else opener(name)
    except RuntimeError as error:  # which NotImplementedError is, too
        hint = "; on Windows, programs cannot make ports, so use one of loopMIDI" if is_virtual else ""
        raise PortError(f"the {direction} port {name!r} cannot be opened: {_reason(error)}{hint}") from error
    except (OSError, ValueError) as error:
        hint = "" if is_virtual else "; another program may be using it"
        raise PortError(f"the {direction} port {name!r} cannot be opened: {_reason(error)}{hint}") from error


def _found(direction: str, asked: str | None) -> tuple[str, bool]:
    """The name of the port that is meant, and whether it is to be made."""
    if asked is not None and asked.partition(":")[0] == VIRTUAL:
        return asked.partition(":")[2] or f"{_CLIENT_NAME} {direction}", True
    inputs, outputs = port_names()
    return chosen_port(direction, asked, outputs if direction == "output" else inputs), False


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__


def chosen_port(direction: str, asked: str | None, names: Sequence[str]) -> str:
    """The one port that the user means.

    Args:
        direction: "input", "output" or "clock", for the error.
        asked: its name or a part of it, in upper or lower case; None means the only one besides Linux's loopback.
        names: of the ports there are.

    Raises:
        SettingsError: if there is no such port, or more than one.
    """
    flag, kind = ("--clock", "input") if direction == "clock" else (f"--{direction}_port", direction)
    if asked is not None and asked in names:
        return asked
    if asked is None:
        found = [name for name in names if not name.startswith(_LOOPBACK)]
        problem = f"{flag} is not given, and there are {len(found) or 'no'} {kind} ports"
    else:
        found = [name for name in names if asked.lower() in name.lower()]
        problem = f"{flag}={asked}: {len(found) or 'no'} {kind} ports have that in their names"
    if len(found) == 1:
        return found[0]
    listed = ", ".join(found or names)
    choice = f"choose one of {listed}" if listed else f"connect one, or make one with {flag}={VIRTUAL}"
    raise SettingsError(f"{problem}; {choice}")

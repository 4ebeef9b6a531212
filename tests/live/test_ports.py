from collections.abc import Iterator

import mido  # type: ignore[import-untyped]
import pytest

import memory_ports
from ostinato.errors import SettingsError
from ostinato.live.ports import (
    MidoInput,
    MidoOutput,
    PortError,
    chosen_port,
    open_clock,
    open_input,
    open_output,
    port_names,
)
from ostinato.live.voices import note_on

KEYS = ["Midi Through:Midi Through Port-0 14:0", "Keystation 49:Keystation 49 MIDI 1 24:0", "Launchkey:Launchkey 28:0"]


@pytest.fixture(autouse=True)
def _memory() -> Iterator[None]:
    before = mido.backend
    mido.set_backend("memory_ports")
    memory_ports.script[:] = []
    memory_ports.sent[:] = []
    yield
    mido.set_backend(before)


@pytest.mark.parametrize(
    ("asked", "found"),
    [("keystation", 1), ("Launchkey:Launchkey 28:0", 2), ("28:0", 2), ("through", 0)],
)
def test_a_port_by_its_name_or_a_part_of_it(asked: str, found: int) -> None:
    assert chosen_port("input", asked, KEYS) == KEYS[found]


def test_the_only_port_needs_no_name() -> None:
    assert chosen_port("output", None, KEYS[:2]) == KEYS[1]


def test_a_whole_name_is_meant_though_it_is_part_of_another() -> None:
    assert chosen_port("input", "Synth", ["Synth", "Synth 2"]) == "Synth"


@pytest.mark.parametrize(
    ("asked", "names", "message"),
    [
        ("key", KEYS, f"--input_port=key: 2 input ports have that in their names; choose one of {KEYS[1]}, {KEYS[2]}"),
        (
            "moog",
            KEYS[:2],
            f"--input_port=moog: no input ports have that in their names; choose one of {KEYS[0]}, {KEYS[1]}",
        ),
        (None, KEYS, f"--input_port is not given, and there are 2 input ports; choose one of {KEYS[1]}, {KEYS[2]}"),
        (
            None,
            [],
            "--input_port is not given, and there are no input ports; connect one, or make one with "
            "--input_port=virtual",
        ),
    ],
)
def test_ports_that_are_not_to_be_found(asked: str | None, names: list[str], message: str) -> None:
    with pytest.raises(SettingsError) as error:
        chosen_port("input", asked, names)
    assert str(error.value) == message


def test_names() -> None:
    assert port_names() == (memory_ports.INPUTS, memory_ports.OUTPUTS)


def test_a_system_without_midi_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("no sequencer")

    monkeypatch.setattr(memory_ports, "get_devices", fail)
    with pytest.raises(PortError, match="this system's MIDI ports cannot be listed: no sequencer"):
        port_names()


def test_messages_come_in_and_go_out() -> None:
    memory_ports.script[:] = [(0.0, note_on(0, 60, 1)), (0.0, b"\xf0\x01\x02\xf7"), (99.0, note_on(0, 61, 1))]
    port = open_input(None)
    assert port.name == "Keystation 49"
    assert list(port.pending()) == [note_on(0, 60, 1), b"\xf0\x01\x02\xf7"]
    assert list(port.pending()) == []
    output = open_output("synth a")
    output.send(note_on(2, 60, 3))
    assert memory_ports.sent == [note_on(2, 60, 3)]


def test_virtual_ports() -> None:
    assert open_input("virtual").name == "Ostinato input"
    assert open_output("virtual:My band").name == "My band"
    with pytest.raises(PortError, match=r"'unsupported' cannot be opened: no virtual ports here; on Windows, programs"):
        open_output("virtual:unsupported")


def test_the_port_of_a_clock() -> None:
    keys = open_input(None)
    assert open_clock("keystation", keys) is keys
    assert open_clock("through", keys).name == "Midi Through Port-0"
    assert open_clock("virtual", keys).name == "Ostinato clock"


def test_a_port_that_cannot_be_opened() -> None:
    with pytest.raises(PortError, match=r"the output port 'Synth B' cannot be opened: busy; another program may be"):
        open_output("Synth B")


def test_ports_that_go_away() -> None:
    memory_ports.script[:] = [(0.0, b"")]
    with pytest.raises(PortError, match="the input port Keystation 49 is gone: unplugged"):
        list(open_input(None).pending())
    output = open_output("Synth A")
    output.close()
    with pytest.raises(PortError, match="the output port Synth A is gone: send"):
        output.send(note_on(0, 60, 1))


def test_midos_own_port_in_memory() -> None:
    echo = mido.ports.EchoPort("echo")
    MidoOutput(echo).send(note_on(5, 60, 7))
    assert list(MidoInput(echo).pending()) == [note_on(5, 60, 7)]

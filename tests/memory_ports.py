"""A backend of mido whose ports are in memory: MIDO_BACKEND=memory_ports.

The player's messages come from `script`, and what is sent goes to `sent`; in a
process of its own, from and to the files that MEMORY_SCRIPT and MEMORY_SENT
name, a line each: seconds from the opening and the bytes in hexadecimal digits.
"""

import os
import time
from pathlib import Path
from typing import Any

import mido  # type: ignore[import-untyped]

INPUTS = ["Midi Through Port-0", "Keystation 49"]
OUTPUTS = ["Midi Through Port-0", "Synth A", "Synth B"]
script: list[tuple[float, bytes]] = []
sent: list[bytes] = []


def get_devices(**_options: Any) -> list[dict[str, Any]]:
    return [
        {"name": name, "is_input": name in INPUTS, "is_output": name in OUTPUTS}
        for name in dict.fromkeys(INPUTS + OUTPUTS)
    ]


class _Port:
    def __init__(self, name: str, *, virtual: bool = False, **_options: Any) -> None:
        if virtual and name == "unsupported":
            raise NotImplementedError("no virtual ports here")
        if not virtual and name == "Synth B":
            raise OSError("busy")
        self.name = name
        self.is_virtual = virtual
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Input(_Port):
    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self._opened = time.monotonic()
        file = os.environ.get("MEMORY_SCRIPT")
        lines = Path(file).read_text().splitlines() if file else []
        self._coming = [(float(line.split()[0]), bytes.fromhex(line.split()[1])) for line in lines] or list(script)

    def iter_pending(self) -> Any:
        while self._coming and self._coming[0][0] <= time.monotonic() - self._opened:
            data = self._coming.pop(0)[1]
            if not data:
                raise OSError("unplugged")
            yield mido.Message.from_bytes(data)


class Output(_Port):
    def send(self, message: mido.Message) -> None:
        if self.closed:
            raise ValueError("send() called on closed port")
        sent.append(bytes(message.bytes()))
        if log := os.environ.get("MEMORY_SENT"):
            with Path(log).open("a") as file:
                file.write(message.hex() + "\n")

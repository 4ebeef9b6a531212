"""The loop that turns the time: everything a session does happens in it, on one thread."""

from collections.abc import Callable, Iterable
from typing import Protocol

from ostinato.live.clock import Clock
from ostinato.live.session import Session, State
from ostinato.live.voices import Voices

POLL_SECONDS = 0.001
"""How long a message may wait to be heard."""


class InputPort(Protocol):
    """Where the player is heard."""

    def pending(self) -> Iterable[bytes]:
        """The MIDI messages that came since last asked."""
        ...


def play(
    session: Session,
    voices: Voices,
    input_port: InputPort,
    clock: Clock,
    is_stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Play a session to its end, and leave silence, however it ends.

    Args:
        session: what is played.
        voices: where it sounds.
        input_port: where the player is heard.
        clock: the session's.
        is_stopped: asked again and again; True ends the session.
    """
    try:
        while session.state is not State.FINISHED and not is_stopped():
            for message in input_port.pending():
                session.hear(message, clock.now())
            session.advance(clock.now())
            clock.sleep(max(0.0, min(POLL_SECONDS, session.next_due - clock.now())))
    finally:
        voices.panic()

"""The time of another program or a drum machine, by its MIDI clock.

The messages, none of which speaks to a channel:

| byte | then             | meaning                                              |
|------|------------------|------------------------------------------------------|
| 0xF2 | place, low first | song position in 16ths, told while the music stands   |
| 0xF8 |                  | a clock: 24 make a quarter note                       |
| 0xFA |                  | start: the next clock is the first of the song        |
| 0xFB |                  | continue: the next clock is that of the song position |
| 0xFC |                  | stop                                                  |

Many programs send clocks while they stand, too, so the tempo is known when they start.
"""

from collections import deque

from ostinato.live.session import MAX_QPM, MIN_QPM, Grid
from ostinato.music.meter import STEPS_PER_QUARTER, Meter

SONG_POSITION, CLOCK, START, CONTINUE, STOP = 0xF2, 0xF8, 0xFA, 0xFB, 0xFC
CLOCKS_PER_QUARTER = 24
_CLOCKS_PER_STEP = CLOCKS_PER_QUARTER // STEPS_PER_QUARTER
_LONGEST_SILENCE = 0.5  # seconds: four clocks at the slowest tempo; after that the cable is out, or the program gone


class MidiClock:
    """Hears a MIDI clock and tells where its steps are.

    The steps only count up, and bars begin at multiples of a bar. If the song
    jumps, the count goes on at the same place of a bar: the current one or the next.

    Args:
        meter: of the song, which MIDI clock does not tell.
        qpm: the tempo until the clocks tell it.
    """

    def __init__(self, meter: Meter, qpm: float) -> None:
        self.is_running = False
        self._bar = meter.steps_per_bar * _CLOCKS_PER_STEP
        self._qpm = qpm
        # When the clocks of the last quarter note came, so that one that comes late moves the time but a little.
        self._came: deque[float] = deque(maxlen=CLOCKS_PER_QUARTER + 1)
        self._count = 0  # of the next clock
        self._grid: Grid | None = None

    def hear(self, message: bytes, seconds: float) -> None:
        """Something came: anything but the messages of a clock is passed over.

        Args:
            message: a MIDI message.
            seconds: when it came.
        """
        what = message[0]
        if what == CLOCK:
            self._tick(seconds)
        elif what == START:
            self._go_to(0)
            self.is_running = True
        elif what == CONTINUE:
            self.is_running = True
        elif what == STOP:
            self.is_running = False
            self._grid = None
        elif what == SONG_POSITION:
            self._go_to((message[1] | message[2] << 7) * _CLOCKS_PER_STEP)

    def grid_at(self, seconds: float) -> Grid | None:
        """Where the steps are; None while the music stands, or if there was no clock for half a second."""
        if self._grid is None or seconds - self._came[-1] > _LONGEST_SILENCE:
            return None
        return self._grid

    def _go_to(self, place: int) -> None:
        """The next clock is at this place of the song."""
        self._count += (place - self._count) % self._bar

    def _tick(self, seconds: float) -> None:
        if self._came and seconds - self._came[-1] > _LONGEST_SILENCE:
            self._came.clear()
        self._came.append(seconds)
        if not self.is_running:
            return
        last = len(self._came) - 1
        period = (self._came[-1] - self._came[0]) / last if last else 0.0
        slowest, fastest = (60 / qpm / CLOCKS_PER_QUARTER for qpm in (MIN_QPM, MAX_QPM))
        # The first clocks after a pause are too few to tell a tempo.
        period = min(max(period, fastest), slowest) if last >= _CLOCKS_PER_STEP else 60 / self._qpm / CLOCKS_PER_QUARTER
        # Where the last clock would be if all had come evenly.
        even = sum(came + (last - i) * period for i, came in enumerate(self._came)) / len(self._came)
        self._qpm = 60 / (period * CLOCKS_PER_QUARTER)
        self._grid = Grid(even - self._count * period, self._qpm)
        self._count += 1

"""Whole sessions on a simulated clock; times are worked out by hand at 120 quarters a minute: a 16th is 1/8 s."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.errors import SettingsError
from ostinato.live.midi_clock import CLOCK, CONTINUE, STOP, MidiClock
from ostinato.live.midi_clock import START as CLOCK_STARTS
from ostinato.live.session import POLL_SECONDS, Grid, Metronome, MonotonicClock, Session, SessionSettings, State, play
from ostinato.live.voices import Voice, Voices, control_change, note_off, note_on, program_change
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter
from simulated_session import (
    BAR,
    START,
    STEP,
    Script,
    ScriptedInput,
    SimulatedClock,
    Stage,
    panic_of,
    quarters,
    sounding,
)


def test_the_grid() -> None:
    # At 60 quarters a minute a 16th is a quarter of a second.
    grid = Grid(10.0, 60.0)
    assert [grid.seconds_of(step) for step in (0, 1, 16, 0.5)] == [10.0, 10.25, 14.0, 10.125]
    assert [grid.nearest_step(seconds) for seconds in (10.0, 10.12, 10.125, 10.3, 14.0)] == [0, 0, 1, 1, 16]


@pytest.mark.parametrize("qpm", [19.9, 401, 0, -120, float("nan"), float("inf")])
def test_what_is_no_tempo(qpm: float) -> None:
    with pytest.raises(SettingsError, match="the tempo must be 20 to 400 quarter notes a minute, not"):
        Grid(0.0, qpm)


def test_the_computers_clock_goes_on_while_it_sleeps() -> None:
    clock = MonotonicClock()
    before = clock.now()
    clock.sleep(0.002)
    assert clock.now() - before >= 0.002


def test_a_click_is_short_and_the_downbeat_another_one() -> None:
    sent: list[bytes] = []
    # At 60 quarters a minute a beat is a second.
    metronome = Metronome(Grid(5.0, 60.0), Meter(2, 4), Voices(sent.append), 9)
    assert metronome.next_due == 5.0
    metronome.advance(5.0)
    assert sent == [note_on(9, 76, 120)]
    assert metronome.next_due == 5.03
    metronome.advance(5.02)
    assert len(sent) == 1
    metronome.advance(5.03)
    assert sent.pop() == note_off(9, 76)
    assert metronome.next_due == 6.0
    metronome.advance(6.0)
    assert sent.pop() == note_on(9, 77, 90)
    metronome.advance(7.0)
    assert sent[1:] == [note_off(9, 77), note_on(9, 76, 120)]


def test_of_missed_clicks_one_sounds() -> None:
    sent: list[bytes] = []
    metronome = Metronome(Grid(5.0, 60.0), Meter(2, 4), Voices(sent.append), 9)
    metronome.advance(3605.5)
    assert sent == [note_on(9, 76, 120)]
    assert metronome.next_due == 3605.53


def test_clicks_closer_than_they_are_long_are_told_apart() -> None:
    sent: list[bytes] = []
    metronome = Metronome(Grid(0.0, 400.0), Meter(3, 16), Voices(sent.append), 9)
    metronome.advance(0.0)
    metronome.advance(0.0375)
    metronome.advance(0.0375 + 0.001)
    assert sent == [note_on(9, 76, 120), note_off(9, 76), note_on(9, 77, 90)]


TWO_BARS = quarters([60, 62, 64, 65, 67, 65, 64, 62])
TWO_BARS_MELODY = [event for pitch in (60, 62, 64, 65, 67, 65, 64, 62) for event in (pitch, -2, -2, -1)]
QUIET = SessionSettings(metronome=False)
CLICKING = SessionSettings()


def with_settings(**changes: Any) -> SessionSettings:
    return dataclasses.replace(QUIET, **changes)


def test_a_bar_of_silence_ends_a_call_and_the_response_begins_on_the_beat() -> None:
    response = [72, -2, -1, -2, 74, -2, -2, -2, 76]
    stage = Stage(TWO_BARS, response, CLICKING).play(12)
    # The last note ends at step 31, the bar of silence at 47, and the next beat is step 48: 6 s.
    assert stage.calls == [(Melody(TWO_BARS_MELODY), 1.0)]
    assert stage.started() == [(6.0, 72), (6.5, 74), (7.0, 76)]
    # The last note sounds to the end of the response, which is two bars long as the call is.
    assert stage.ended() == [(6.25, 72), (7.0, 74), (10.0, 76)]
    assert [voice for voice, _ in stage.told] == [Voice.PLAYER, Voice.MODEL]
    assert stage.told[1][1] == Melody([*response, *[-2] * 23])


def test_a_second_call_is_heard_after_the_response() -> None:
    stage = Stage([*TWO_BARS, *quarters([55], start=12.0)], [72], CLICKING).play(18)
    assert [call.events for call, _ in stage.calls] == [tuple(TWO_BARS_MELODY), (55, -2, -2, -1)]
    # The second call starts at step 96 and ends at 99; a bar later is 115, the next beat 116: 14.5 s.
    assert stage.started() == [(6.0, 72), (14.5, 72)]


def test_a_call_of_so_many_bars_is_answered_at_the_bar_line() -> None:
    stage = Stage(TWO_BARS, [72], with_settings(call_bars=1, response_bars=2, metronome=True)).play(8)
    assert [call.events for call, _ in stage.calls] == [tuple(TWO_BARS_MELODY[:16])]
    assert stage.started() == [(2.0, 72)]
    assert stage.ended() == [(6.0, 72)]


def test_a_note_held_over_the_bar_line_sounds_to_the_calls_end() -> None:
    stage = Stage([(1.5, note_on(0, 60, 80)), (2.4, note_off(0, 60))], [], with_settings(call_bars=1, metronome=True))
    stage.play(4)
    assert [call.events for call, _ in stage.calls] == [(*[-2] * 12, 60, -2, -2, -2)]


def test_a_note_shortly_before_the_bar_line_begins_the_call_there() -> None:
    early = [(2.0 - 0.4 * STEP, note_on(0, 60, 80)), (2.4, note_off(0, 60))]
    stage = Stage(early, [72], with_settings(call_bars=1, metronome=True)).play(5)
    assert [call for call, _ in stage.calls] == [Melody([60, -2, -2, -1, *[-2] * 12], 16)]
    assert stage.started() == [(4.0, 72)]


def test_without_a_click_the_first_note_is_the_first_beat() -> None:
    stage = Stage(quarters([60, 62], start=0.3), [72], with_settings(call_bars=1)).play(5)
    ((call, _),) = stage.calls
    assert call.events == (60, -2, -2, -1, 62, -2, -2, -1, *[-2] * 8)
    ((start, _),) = stage.started()
    assert start == pytest.approx(0.3 + BAR, abs=0.001)  # the note is heard within a millisecond


def test_clicks_mark_every_beat_and_the_first_of_a_bar() -> None:
    stage = Stage(settings=with_settings(metronome=True, meter=Meter(3, 4))).play(3.1)
    assert stage.started(9) == [(0, 76), (0.5, 77), (1, 77), (1.5, 76), (2, 77), (2.5, 77), (3, 76)]
    assert [pitch for _, pitch in stage.ended(9)] == [76, 77, 77, 76, 77, 77, 76]
    assert all(0.02 < end - start < 0.04 for (start, _), (end, _) in zip(stage.started(9), stage.ended(9), strict=True))


def test_eighths_are_counted_in_threes() -> None:
    # A dotted quarter is 0.75 s, and a bar of 6/8 two of them.
    stage = Stage(quarters([60]), [72], with_settings(metronome=True, meter=Meter(6, 8), metronome_channel=3)).play(5)
    assert stage.started(3)[:4] == [(0, 76), (0.75, 77), (1.5, 76), (2.25, 77)]
    # The note ends at step 3, the silent bar of 12 at 15; the next beat is step 18, and the response a bar of 12 long.
    assert [call for call, _ in stage.calls] == [Melody([60, -2, -2, -1, -2, -2], meter=Meter(6, 8))]
    assert stage.started() == [(2.25, 72)]
    assert stage.ended() == [(3.75, 72)]


# A call of one bar is known half a 16th before its bar line at 2 s, at 1.9375 s, and the model asked.
ONE_BAR = dataclasses.replace(CLICKING, call_bars=1)


def test_the_response_is_in_time_if_computing_takes_up_to_half_a_16th() -> None:
    assert Stage(TWO_BARS, [72], ONE_BAR, compute_seconds=0.0625).play(3).started() == [(2.0, 72)]


def test_a_late_response_is_no_later_than_computing_takes_and_goes_on_in_time() -> None:
    stage = Stage(TWO_BARS, [72, -2, 74, -2, 76], ONE_BAR, compute_seconds=0.1625).play(3)
    assert [pitch for _, pitch in stage.started()] == [72, 74, 76]
    assert [seconds for seconds, _ in stage.started()] == pytest.approx([2.1, 2.25, 2.5])


def test_of_notes_that_are_over_before_they_could_be_played_the_last_one_is() -> None:
    stage = Stage(TWO_BARS, [72, 74, 76, -2, 77], ONE_BAR, compute_seconds=0.3625).play(3)
    assert [pitch for _, pitch in stage.started()] == [76, 77]
    assert [seconds for seconds, _ in stage.started()] == pytest.approx([2.3, 2.5])


def test_what_is_played_during_a_response_is_no_call() -> None:
    stage = Stage([*TWO_BARS, *quarters([50, 52], start=7.0)], [72], CLICKING).play(20)
    assert len(stage.calls) == 1
    assert stage.started() == [(6.0, 72)]


def test_a_note_shortly_before_a_responses_end_begins_the_next_call() -> None:
    stage = Stage([*TWO_BARS, *quarters([50], start=9.96)], [72], CLICKING).play(16)
    assert [call.events for call, _ in stage.calls][1] == (50, -2, -2, -1)
    assert stage.ended()[0][0] == pytest.approx(9.96, abs=0.001)


def test_a_loop_repeats_until_the_next_call_begins() -> None:
    looping = with_settings(loop=True, response_bars=1, metronome=True)
    stage = Stage([*TWO_BARS, *quarters([50], start=6.6), *quarters([55], start=10.8)], [72, -2, 74], looping).play(14)
    # From 6 s on, every bar of 2 s; what is played in its first time is no call; at 10.8 s it ends.
    starts = [(6.0, 72), (6.25, 74), (8.0, 72), (8.25, 74), (10.0, 72), (10.25, 74)]
    assert stage.started()[:6] == starts
    assert stage.ended()[1] == (8.0, 74)
    assert stage.ended()[5][0] == pytest.approx(10.8, abs=0.001)
    # It is told when it was played the first time, and no more.
    assert [voice for voice, _ in stage.told] == [Voice.PLAYER, Voice.MODEL, Voice.PLAYER]
    assert [call.events for call, _ in stage.calls][1] == (*[-2] * 6, 55, -2, -2, -2, -1, -2)
    # 10.8 s is step 86, its end 90; a bar later 106, the next beat 108: 13.5 s.
    assert stage.started()[6] == (13.5, 72)


def test_the_last_of_so_many_rounds_ends_the_session_and_loops_no_more() -> None:
    stage = Stage(TWO_BARS, [72], with_settings(loop=True, num_rounds=1, metronome=True)).play(100)
    assert stage.session.state is State.FINISHED
    assert stage.clock.now() - START == pytest.approx(10.0, abs=0.002)


def test_what_is_played_sounds_too() -> None:
    script = [
        (0.0, note_on(2, 60, 33)),
        (0.1, control_change(2, 64, 127)),
        (0.2, bytes((0xE2, 0, 64))),
        (0.3, bytes((0x92, 60, 0))),
        (0.4, b"\xf8"),
        (0.5, b"\xf0\x01\xf7"),
    ]
    stage = Stage(script, settings=with_settings(passthrough=True)).play(1)
    assert [message for _, message in stage.sent] == [
        note_on(2, 60, 33),
        control_change(2, 64, 127),
        bytes((0xE2, 0, 64)),
        note_off(2, 60),
        *panic_of(2),
    ]
    assert [seconds for seconds, _ in stage.sent[:4]] == pytest.approx([0.0, 0.1, 0.2, 0.3], abs=0.001)
    assert Stage(script).play(1).sent == []


def test_a_control_change_sets_the_temperature() -> None:
    settings = with_settings(temperature=0.7, temperature_control=1, passthrough=True, call_bars=1)
    script = [
        *quarters([60]),
        (5.0, control_change(0, 1, 127)),
        *quarters([60], start=5.0),
        (10.0, control_change(5, 1, 0)),
        *quarters([60], start=10.0),
    ]
    stage = Stage(script, settings=settings).play(14)
    assert [temperature for _, temperature in stage.calls] == [0.7, 2.0, 0.1]
    assert control_change(0, 1, 127) not in [message for _, message in stage.sent]


def test_silence_is_listened_to() -> None:
    stage = Stage([(1.0, b"\xfe"), (1.5, note_off(0, 60)), (2.0, control_change(0, 123, 0))]).play(600 * STEP)
    assert stage.calls == []
    assert stage.session.state is State.LISTENING


def test_a_key_pressed_twice_is_two_notes() -> None:
    script = [(0.0, note_on(0, 60, 80)), (0.5, note_on(0, 60, 80)), (0.9, note_off(0, 60))]
    stage = Stage(script, [], with_settings(passthrough=True)).play(4)
    assert stage.calls[0][0].events == (60, -2, -2, -2, 60, -2, -2, -1)
    assert [pitch for _, pitch in stage.ended()] == [60, 60]


def test_a_note_that_never_ends_counts_four_bars() -> None:
    stage = Stage([(0.0, note_on(0, 60, 80))], [72], CLICKING).play(11)
    # Four bars of the note and one of silence.
    assert stage.calls[0][0].events == (60, *[-2] * 63)
    assert stage.started() == [(10.0, 72)]


@pytest.mark.parametrize("control", [120, 123, 126])
def test_all_notes_off_ends_what_is_held(control: int) -> None:
    stage = Stage([(0.0, note_on(0, 60, 80)), (1.0, control_change(0, control, 0))], [72], CLICKING).play(4)
    assert stage.started() == [(3.0, 72)]


def test_the_response_is_as_loud_as_the_call() -> None:
    script = [(0.0, note_on(0, 60, 40)), (0.4, note_off(0, 60)), (0.5, note_on(0, 62, 60)), (0.9, note_off(0, 62))]
    stage = Stage(script, [72], with_settings(channel=4, program=24)).play(6)
    assert stage.sent[0] == (0.0, program_change(4, 24))
    assert stage.sent[1][1] == note_on(4, 72, 50)


def test_a_long_call_is_answered_by_no_more_than_16_bars() -> None:
    stage = Stage(quarters([60, 62, 64, 65] * 20), [72], CLICKING).play(80)
    ((call, _),) = stage.calls
    # 20 bars, of which the model hears the last 16.
    assert call == Melody([event for pitch in (60, 62, 64, 65) * 16 for event in (pitch, -2, -2, -1)], 64)
    assert stage.ended() == [(21 * BAR + 16 * BAR, 72)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"qpm": 10}, "the tempo must be 20 to 400 quarter notes a minute, not 10"),
        ({"qpm": float("nan")}, "the tempo must be 20 to 400"),
        ({"call_bars": 17}, "call_bars must be 1 to 16, not 17"),
        ({"response_bars": 0}, "response_bars must be 1 to 32, not 0"),
        ({"temperature": 0.0}, "temperature must be a number above 0, not 0.0"),
        ({"temperature_control": 120}, "temperature_control must be 0 to 119, not 120"),
        ({"num_rounds": -1}, "num_rounds must be 0 (no end) or more, not -1"),
        ({"program": 128}, "program must be 0 to 127, not 128"),
        ({"channel": 16}, "channel must be 0 to 15, not 16"),
    ],
)
def test_settings_that_cannot_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as error:
        with_settings(**changes)
    assert str(error.value).startswith(message)


# Whatever happens, nothing is left sounding. At 400 quarters a minute a bar is 0.6 s.

_moments = st.floats(0, 4)
_keys = st.tuples(st.sampled_from([0x80, 0x90, 0x91]), st.integers(60, 62), st.integers(0, 127)).map(bytes)
_others = st.sampled_from([b"\xf8", b"\xc0\x05", b"\xb0\x40\x7f", b"\xb0\x7b\x00", b"\xb0\x01\x40", b"\xe0\x00\x40"])
_scripts = st.lists(st.tuples(_moments, _keys | _others), max_size=30)
_settings = st.builds(
    SessionSettings,
    qpm=st.just(400.0),
    meter=st.sampled_from([Meter(4, 4), Meter(6, 8), Meter(1, 4)]),
    call_bars=st.none() | st.integers(1, 2),
    response_bars=st.none() | st.integers(1, 2),
    metronome=st.booleans(),
    passthrough=st.booleans(),
    loop=st.booleans(),
    temperature_control=st.none() | st.just(1),
    num_rounds=st.integers(0, 2),
    channel=st.sampled_from([0, 9]),
    program=st.none() | st.just(3),
)


class BrokenError(Exception):
    """Something that went wrong."""


@given(
    script=_scripts,
    settings=_settings,
    response=st.lists(st.integers(-2, 127) | st.sampled_from([60, 61, 62]), max_size=20),
    place=st.sampled_from(["send", "input", "model", "stop"]),
    count=st.integers(0, 40),
    is_delivered=st.booleans(),
    error=st.sampled_from([BrokenError, OSError, KeyboardInterrupt, SystemExit]),
)
def test_whatever_happens_no_note_is_left_sounding(
    script: list[tuple[float, bytes]],
    settings: SessionSettings,
    response: list[int],
    place: str,
    count: int,
    is_delivered: bool,
    error: type[BaseException],
) -> None:
    reached = dict.fromkeys(("send", "input", "model", "stop"), 0)
    sent: list[bytes] = []

    def pass_by(here: str) -> None:
        reached[here] += 1
        if here == place and reached[here] == count + 1:
            raise error

    class Output:
        def send(self, message: bytes) -> None:
            if is_delivered:
                sent.append(message)
            pass_by("send")
            if not is_delivered:
                sent.append(message)

    class Input(ScriptedInput):
        def pending(self) -> Iterator[bytes]:
            for message in super().pending():
                yield message
                pass_by("input")

    class CoarseClock(SimulatedClock):
        def sleep(self, seconds: float) -> None:
            self.seconds += 0.02

    clock = CoarseClock()

    def respond(call: Melody, temperature: float) -> Iterator[int]:
        for event in [*response, *[-2] * 100]:
            pass_by("model")
            yield event

    def is_stopped() -> bool:
        return clock.now() > START + (count * 0.1 if place == "stop" else 5)

    voices = Voices(Output().send)
    try:
        session = Session(settings, respond, voices, START)
        play(session, voices, Input(clock, script), clock, is_stopped)
    except error:
        pass
    assert sounding(sent) == set()
    used = {message[0] & 0x0F for message in sent if message[0] & 0xF0 == 0x90}
    for channel in used:
        last_note = max(place for place, message in enumerate(sent) if message[0] == 0x90 + channel)
        for message in panic_of(channel):
            assert message in sent[last_note:]


CALL = quarters([60, 62, 64, 65])
# Of the four states: nothing played, in the call, in the response, in its second time through.
MOMENTS = {"listening": 0.0, "call": 1.2, "response": 4.6, "repeat": 6.6}
LOOPING = SessionSettings(passthrough=True, loop=True, channel=1)


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_every_state_can_be_left(moment: float) -> None:
    stage = Stage(CALL, [72], LOOPING).play(moment)
    sent = [message for _, message in stage.sent]
    assert sounding(sent) == set()
    used = sorted({message[0] & 15 for message in sent})
    assert sent[len(sent) - 3 * len(used) :] == [message for channel in used for message in panic_of(channel)]


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_every_state_can_be_broken_off(moment: float) -> None:
    stage = Stage(CALL, [72], LOOPING)

    def breaks() -> bool:
        if stage.clock.now() - START >= moment:
            raise RuntimeError("broken")
        return False

    with pytest.raises(RuntimeError, match="broken"):
        stage.play(100, breaks)
    assert sounding(message for _, message in stage.sent) == set()


def test_an_error_of_the_model_leaves_silence() -> None:
    class Failing(Stage):
        def respond(self, call: Melody, temperature: float) -> Iterator[int]:
            raise RuntimeError("no idea")

    script = [*quarters([60]), (1.0, note_on(0, 70, 80))]
    stage = Failing(script, settings=SessionSettings(passthrough=True, call_bars=1, metronome=False))
    with pytest.raises(RuntimeError, match="no idea"):
        stage.play(5)
    # Half a 16th before the bar line at 2 s.
    assert stage.sent[-4][0] == pytest.approx(1.9375, abs=0.002)
    assert [message for _, message in stage.sent[-4:]] == [note_off(0, 70), *panic_of(0)]


def test_a_message_waits_no_longer_than_the_poll() -> None:
    script = [(0.0313, note_on(0, 60, 80)), (0.7777, note_off(0, 60))]
    stage = Stage(script, settings=SessionSettings(passthrough=True)).play(1)
    ((heard, _),) = stage.started()
    assert 0 <= heard - 0.0313 <= POLL_SECONDS + 1e-9


def test_everything_on_the_grid_is_played_at_its_exact_moment() -> None:
    stage = Stage(CALL, range(60, 76), SessionSettings(response_bars=1)).play(8)
    # The call ends at step 15, its silence at 31; the beat after that is step 32: 4 s.
    assert stage.started() == [(4.0 + number / 8, 60 + number) for number in range(16)]
    assert stage.ended() == [(4.0 + (number + 1) / 8, 60 + number) for number in range(16)]
    assert [seconds for seconds, _ in stage.started(9)] == [number / 2 for number in range(len(stage.started(9)))]


def test_a_finished_session_ends_the_loop() -> None:
    stage = Stage(CALL, [72], SessionSettings(num_rounds=1)).play(100)
    assert stage.session.state is State.FINISHED
    assert stage.clock.now() - START == pytest.approx(6.0, abs=0.002)


# ---- by another's clock


def clocks(start: float, end: float, qpm: float = 120.0) -> list[tuple[float, bytes]]:
    """MIDI clocks from one moment to before another."""
    period = 60 / qpm / 24
    return [(start + number * period, bytes((CLOCK,))) for number in range(round((end - start) / period))]


def led(script: Script = (), settings: SessionSettings = ONE_BAR, *, lead_script: Script) -> Stage:
    """A stage whose own tempo, of 100, never counts; it is in the time of a clock that starts after a second."""
    settings = dataclasses.replace(settings, qpm=100.0)
    started = [*clocks(0.0, 1.0), (0.99, bytes((CLOCK_STARTS,))), *lead_script]
    return Stage(script, [72, 74], settings, lead=MidiClock(settings.meter, 100.0), lead_script=started)


def test_nothing_happens_before_the_clock_starts() -> None:
    stage = led(quarters([60, 62]), lead_script=[]).play(5)
    assert stage.sent == panic_sent(stage)
    assert stage.calls == []


def panic_sent(stage: Stage) -> list[tuple[float, bytes]]:
    """The last messages, which leave silence."""
    return [(seconds, message) for seconds, message in stage.sent if message in [*panic_of(0), *panic_of(9)]]


@pytest.mark.parametrize("settings", [ONE_BAR, dataclasses.replace(ONE_BAR, metronome=False)])
def test_bars_and_tempo_are_those_of_the_clock(settings: SessionSettings) -> None:
    # The first bar is from 1 s to 3 s; the call begins in it, on its second beat.
    stage = led(quarters([60, 62, 64], start=1.5), settings, lead_script=clocks(1.0, 5.0)).play(5)
    assert [call.events for call, _ in stage.calls] == [(*[-2] * 4, *TWO_BARS_MELODY[:12])]
    assert [pitch for _, pitch in stage.started()] == [72, 74]
    assert [seconds for seconds, _ in stage.started()] == pytest.approx([3.0, 3.125], abs=0.003)
    if settings.metronome:
        assert [pitch for _, pitch in stage.started(9)] == [76, 77, 77, 77, 76, 77, 77, 77]
        found = [seconds for seconds, _ in stage.started(9)]
        assert found == pytest.approx([1 + beat / 2 for beat in range(8)], abs=0.003)


def test_another_tempo_of_the_clock_is_followed() -> None:
    # A bar of 2 s, then quarters of 2/3 s: the tempo is told by the quarter before.
    stage = led(settings=CLICKING, lead_script=[*clocks(1.0, 3.0), *clocks(3.0, 7.0, 90.0)]).play(6.5)
    found = [seconds for seconds, _ in stage.started(9)]
    assert found == pytest.approx([1, 1.5, 2, 2.5, *(3 + beat * 2 / 3 for beat in range(6))], abs=0.005)


def test_a_clock_that_stops_ends_the_response_and_goes_on_in_its_bar() -> None:
    stopped = [
        *clocks(1.0, 3.5),
        (3.5, bytes((STOP,))),
        *clocks(3.5, 6.0),
        (5.99, bytes((CONTINUE,))),
        *clocks(6.0, 9.0),
    ]
    keys = [*quarters([60], start=1.0), *quarters([50], start=4.0)]
    stage = led(keys, dataclasses.replace(ONE_BAR, response_bars=4), lead_script=stopped).play(8.6)
    assert [seconds for seconds, _ in stage.ended()] == pytest.approx([3.125, 3.5], abs=0.003)
    # What is played while it stands is no call.
    assert len(stage.calls) == 1
    assert stage.session.state is State.LISTENING
    # It stopped after a beat of the second bar.
    clicks = [(round(seconds, 1), pitch) for seconds, pitch in stage.started(9) if seconds > 3.2]
    assert clicks == [(6.0, 77), (6.5, 77), (7.0, 77), (7.5, 76), (8.0, 77), (8.5, 77)]


def test_a_call_is_dropped_when_the_clock_stops() -> None:
    stopped = [*clocks(1.0, 2.0), (2.0, bytes((STOP,))), *clocks(2.0, 9.0)]
    stage = led(quarters([60], start=1.0), lead_script=stopped).play(9)
    assert stage.calls == []
    assert stage.session.state is State.LISTENING

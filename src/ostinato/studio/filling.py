"""Bars of a melody made anew around those that are locked: gap after gap, each fitted to what is there by then."""

import dataclasses

import numpy as np
from msgspec.structs import replace

from ostinato.errors import SettingsError
from ostinato.generation.model import Model
from ostinato.generation.trace import Traced
from ostinato.studio.schema import GenerateRequest, MelodyJson


def fill(model: Model, request: GenerateRequest, seed: int) -> list[Traced]:
    """Make the bars of a request's `fill` anew, but for those that are `locked`.

    Where the last gap reaches the end of the primer, nothing has to follow: the melody goes on to the end of its last
    bar, as one that is generated does.

    Raises:
        SettingsError: if these bars cannot be filled.
    """
    first, *others = _gaps(request)
    made = _make(model, _of_gap(request, first, request.primer), request.primer, seed)
    for gap in others:
        for place, whole in enumerate(made):
            melody = whole.melody
            primer = MelodyJson(melody.events, meter=str(melody.meter), ends=melody.ends, chords=melody.chords)
            asked = replace(_of_gap(request, gap, primer), variations=1, draw=0)
            # Random numbers of its own for each gap of each of the seed's melodies, however many are asked for.
            its_seed = np.random.SeedSequence([seed, request.draw + place, gap[0]]).generate_state(1)
            (more,) = _make(model, asked, primer, int(its_seed[0]))
            made[place] = _joined(whole, more)
    return made


def _make(model: Model, asked: GenerateRequest, whole: MelodyJson | None, seed: int) -> list[Traced]:
    """What is asked for, beside the chords of the whole melody: where it goes on to the end, its primer has no more."""
    options = asked.options(seed)
    if whole and whole.chords and options.chords is None:
        options = dataclasses.replace(options, chords=whole.chords)
    return model.make_traced(options)


def _gaps(request: GenerateRequest) -> list[tuple[int, int]]:
    """The stretches of bars between those that are locked, the first and the last bar of each."""
    assert request.fill
    first, last = request.fill
    if first > last:
        return [(first, last)]  # the library says what is wrong with it
    gaps: list[tuple[int, int]] = []
    for bar in range(first, last + 1):
        if bar in request.locked:
            continue
        if gaps and gaps[-1][1] == bar - 1:
            gaps[-1] = (gaps[-1][0], bar)
        else:
            gaps.append((bar, bar))
    if not gaps:
        raise SettingsError(f"all bars of fill=[{first}, {last}] are locked; take one of them out of locked")
    return gaps


def _of_gap(request: GenerateRequest, gap: tuple[int, int], primer: MelodyJson | None) -> GenerateRequest:
    """The request for one gap in a melody: to fill it or, where nothing follows, to go on from before it."""
    first, last = gap
    bar = request.one_meter.steps_per_bar
    bars = -(-len(primer.events) // bar) if primer else 0
    if primer is None or last != bars or first > last:
        # How it ends is a question only where the last gap goes on to the end.
        ending = None if _gaps(request)[-1][1] == bars else request.ending
        return replace(request, primer=primer, fill=gap, locked=(), ending=ending)
    kept = primer.events[: (first - 1) * bar]
    if not any(event >= 0 for event in kept):
        raise SettingsError(f"no note comes before bar {first}, and all after it would be new; lock a bar that has one")
    before = replace(primer, events=kept, ends=False, chords=())
    return replace(request, primer=before, fill=None, locked=(), num_bars=last)


def _joined(whole: Traced, more: Traced) -> Traced:
    """A melody of which another gap was filled, with what is known of both."""
    attention = None
    if whole.attention is not None and more.attention is not None:
        attention = np.concatenate([whole.attention, more.attention])
    steps, log_likelihood = [*whole.steps, *more.steps], whole.log_likelihood + more.log_likelihood
    return Traced(more.melody, whole.primer_steps, steps, log_likelihood, attention)

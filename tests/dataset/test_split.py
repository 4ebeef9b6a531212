from hypothesis import given
from hypothesis import strategies as st

from ostinato.dataset.split import eval_ratio_for, identity_of, is_for_eval
from ostinato.formats.note_sequence_pb2 import NoteSequence


def test_the_split_of_today_is_that_of_tomorrow() -> None:
    # BLAKE2b of 8 bytes (b2sum -l 64): "0:a" begins bde152ea, 0.7417 of 2**32, "0:b" 6209d0af, 0.3830,
    # and "1:a" 9524a66f, 0.5826.
    assert [is_for_eval("a", ratio, 0) for ratio in (0.74, 0.75)] == [False, True]
    assert [is_for_eval("b", ratio, 0) for ratio in (0.38, 0.39)] == [False, True]
    assert [is_for_eval("a", ratio, 1) for ratio in (0.58, 0.59)] == [False, True]


@given(st.text(), st.integers(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_ratio_only_adds(name: str, seed: int, ratio: float, other: float) -> None:
    assert is_for_eval(name, min(ratio, other), seed) <= is_for_eval(name, max(ratio, other), seed)


def test_the_ratio_is_met() -> None:
    names = [f"/id/midi/books/{number}" for number in range(10_000)]
    assert not any(is_for_eval(name, 0, 0) for name in names)
    assert 900 < sum(is_for_eval(name, 0.1, 0) for name in names) < 1100
    # Another seed is another split: about a tenth of the tenth is in both.
    assert 50 < sum(is_for_eval(name, 0.1, 0) and is_for_eval(name, 0.1, 1) for name in names) < 150


def test_what_a_note_sequence_is_known_by() -> None:
    assert identity_of(NoteSequence(id="/id/1", filename="a.mid"), b"") == "/id/1"
    assert identity_of(NoteSequence(filename="a.mid"), b"") == "a.mid"
    nameless = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # SHA-256 of "abc"
    assert identity_of(NoteSequence(), b"abc") == nameless


@given(st.integers(2, 60), st.data(), st.integers(0, 2**32))
def test_a_ratio_for_each_number_of_pieces_to_hold_out(num_pieces: int, data: st.DataObject, seed: int) -> None:
    pieces = [str(number) for number in range(num_pieces)]
    wanted = data.draw(st.integers(1, num_pieces - 1))
    ratio = eval_ratio_for(pieces, wanted, seed)
    assert sum(is_for_eval(piece, ratio, seed) for piece in pieces) == wanted

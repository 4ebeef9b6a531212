import numpy as np

from ostinato.encodings.notes_so_far import NotesSoFar


def test_direction_stays_through_a_repeated_note() -> None:
    notes = NotesSoFar.along(np.array([60, 60, -2, 64, 64, -1, 62]))
    assert notes.direction.tolist() == [0, 0, 0, 1, 1, 1, -1]


def test_a_repeated_pitch_moves_to_the_front_of_the_last_three() -> None:
    notes = NotesSoFar.along(np.array([60, 62, 64, 60, 62, 60, 67, 67]))
    assert notes.recent.tolist() == [
        [60, -1, -1],
        [62, 60, -1],
        [64, 62, 60],
        [60, 64, 62],
        [62, 60, 64],
        [60, 62, 64],
        [67, 60, 62],
        [67, 60, 62],
    ]


def test_a_note_off_leaves_the_attack_and_a_no_event_clears_it() -> None:
    notes = NotesSoFar.along(np.array([60, -1, -2, -1, 60]))
    assert notes.attack.tolist() == [True, True, False, False, True]
    assert notes.pitch.tolist() == [60, -1, -1, -1, 60]

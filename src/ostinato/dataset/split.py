"""Which NoteSequences go to training and which to eval.

A NoteSequence goes by a hash of its identity, before anything is cut or
transposed: all its melodies go the same way, and a rerun, or one file more,
moves no other.
"""

import hashlib
from collections.abc import Collection

from ostinato.formats.note_sequence_pb2 import NoteSequence

_HASH_BYTES = 8


def is_for_eval(identity: str, eval_ratio: float, seed: int) -> bool:
    """Whether the NoteSequence of this identity goes to eval.

    Args:
        identity: what tells it from the others.
        eval_ratio: share that goes to eval, from 0 to below 1; a larger one only adds to it.
        seed: another seed is another split.
    """
    digest = hashlib.blake2b(f"{seed}:{identity}".encode(), digest_size=_HASH_BYTES).digest()
    share: float = int.from_bytes(digest, "big") / 2 ** (8 * _HASH_BYTES)
    return share < eval_ratio


def identity_of(note_sequence: NoteSequence, note_sequence_bytes: bytes) -> str:
    """What tells a NoteSequence from the others: its id, or else its file name, or else all of its bytes."""
    return note_sequence.id or note_sequence.filename or hashlib.sha256(note_sequence_bytes).hexdigest()


def eval_ratio_for(identities: Collection[str], num_held_out: int, seed: int) -> float:
    """The eval_ratio that holds out a number of pieces.

    Args:
        identities: of all pieces, each once.
        num_held_out: how many to hold out.
        seed: of the split.
    """
    # Ever more pieces go to eval as the ratio rises, one after the other, for no two have one hash.
    low, high = 0.0, 1.0
    while True:
        ratio = (low + high) / 2
        count = sum(is_for_eval(identity, ratio, seed) for identity in identities)
        if count == num_held_out:
            return ratio
        low, high = (ratio, high) if count < num_held_out else (low, ratio)

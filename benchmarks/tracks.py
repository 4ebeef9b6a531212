"""How often the melody's track is found in a folder of MIDI files with named tracks, and how many meters are mended.

    python benchmarks/tracks.py --input_dir=FOLDER --melody='^melody$'

A file counts if it has two tracks or more beside drums, and the expression
finds one of their names. The names are then hidden, unless said otherwise.
"""

import argparse
import re
import warnings
from collections import Counter
from pathlib import Path

from ostinato.dataset.convert import find_files
from ostinato.errors import OstinatoError
from ostinato.formats import Remark
from ostinato.formats.midi.reader import read_midi
from ostinato.formats.note_sequence_pb2 import NoteSequence
from ostinato.music.mending import mend_meter
from ostinato.music.tracks import TrackEvidence, rank_tracks


def longest(note_sequence: NoteSequence) -> int:
    """The track that lasts longest from its first note to its last, of which most melodies were taken before."""
    spans: dict[int, tuple[float, float]] = {}
    for note in note_sequence.notes:
        if not note.is_drum:
            start, end = spans.get(note.instrument, (note.start_time, note.end_time))
            spans[note.instrument] = min(start, note.start_time), max(end, note.end_time)
    return max(spans, key=lambda track: spans[track][1] - spans[track][0])


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the choice of the melody's track.")
    parser.add_argument("--input_dir", required=True, type=Path)
    parser.add_argument("--melody", required=True, type=re.compile, help="what the melody's track is called")
    parser.add_argument("--show", action="store_true", help="name the files that go wrong, and the meters mended")
    args = parser.parse_args()
    warnings.simplefilter("ignore", Remark)

    right: Counter[str] = Counter()
    files = mended = 0
    for name in find_files(args.input_dir, recursive=True):
        try:
            tune = read_midi(args.input_dir / name)
        except OstinatoError:
            continue
        _, changes = mend_meter(tune)
        mended += bool(changes)
        if args.show and changes:
            print(f"{name}: {'; '.join(changes)}")
        named = [evidence for evidence in rank_tracks(tune) if not evidence.is_drum]
        melodies = {evidence.track for evidence in named if args.melody.search(evidence.name)}
        if len(named) < 2 or not melodies:
            continue
        files += 1
        del tune.instrument_infos[:]
        hidden: list[TrackEvidence] = rank_tracks(tune)
        right["by what is played and its name"] += named[0].track in melodies
        right["by what is played"] += hidden[0].track in melodies
        right["the longest"] += longest(tune) in melodies
        right["the one with most notes"] += max(named, key=lambda track: track.num_notes).track in melodies
        if args.show and hidden[0].track not in melodies:
            print(f"{name}: track {hidden[0].track} ({hidden[0].reason}), not {sorted(melodies)}")
    print(f"{files} files with such a track; meters mended in {mended} of all")
    for how, count in right.items():
        print(f"{how}: {count} of {files}, {count / files:.1%}")


if __name__ == "__main__":
    main()

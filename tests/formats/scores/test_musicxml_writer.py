import xml.etree.ElementTree as ET

from hypothesis import given

import written_melodies
from note_sequences import STEP
from ostinato.dataset.convert import music_of
from ostinato.formats.scores.musicxml_writer import sheet_to_musicxml
from ostinato.music.keys import Key, parse_key
from ostinato.music.melody import Melody
from ostinato.music.meter import Meter
from ostinato.music.notation import notate

# The order in which the MusicXML 4.0 schema has the children of each element that we write.
ORDER = {
    "score-partwise": ["work", "identification", "part-list", "part"],
    "attributes": ["divisions", "key", "time", "clef"],
    "key": ["fifths", "mode"],
    "time": ["beats", "beat-type"],
    "clef": ["sign", "line"],
    "direction": ["direction-type", "sound"],
    "metronome": ["beat-unit", "per-minute"],
    "pitch": ["step", "alter", "octave"],
    "note": [
        *("pitch", "rest", "duration", "tie", "voice", "type", "dot", "accidental", "beam", "notations"),
    ],
}


def test_a_melody_to_the_byte() -> None:
    # An upbeat of one eighth in 3/8, F# outside C major, held over the bar line into the last bar, which the upbeat
    # makes whole.
    melody = Melody([-2, -2, -2, -2, 60, -2, 64, 62, 67, -2, 66, -2, -2, -2, -2, -2], meter=Meter(3, 8))
    assert sheet_to_musicxml(notate(melody, key=parse_key("C"), qpm=90, title="A & B")).decode() == (
        """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">
<score-partwise version="4.0">
 <work>
  <work-title>A &amp; B</work-title>
 </work>
 <identification>
  <encoding>
   <software>Ostinato</software>
  </encoding>
 </identification>
 <part-list>
  <score-part id="P1">
   <part-name>Melody</part-name>
  </score-part>
 </part-list>
 <part id="P1">
  <measure number="0" implicit="yes">
   <attributes>
    <divisions>4</divisions>
    <key>
     <fifths>0</fifths>
     <mode>major</mode>
    </key>
    <time>
     <beats>3</beats>
     <beat-type>8</beat-type>
    </time>
    <clef>
     <sign>G</sign>
     <line>2</line>
    </clef>
   </attributes>
   <direction placement="above">
    <direction-type>
     <metronome>
      <beat-unit>quarter</beat-unit>
      <per-minute>90</per-minute>
     </metronome>
    </direction-type>
    <sound tempo="90" />
   </direction>
   <note>
    <pitch>
     <step>C</step>
     <octave>4</octave>
    </pitch>
    <duration>2</duration>
    <voice>1</voice>
    <type>eighth</type>
   </note>
  </measure>
  <measure number="1">
   <note>
    <pitch>
     <step>E</step>
     <octave>4</octave>
    </pitch>
    <duration>1</duration>
    <voice>1</voice>
    <type>16th</type>
    <beam number="1">begin</beam>
    <beam number="2">begin</beam>
   </note>
   <note>
    <pitch>
     <step>D</step>
     <octave>4</octave>
    </pitch>
    <duration>1</duration>
    <voice>1</voice>
    <type>16th</type>
    <beam number="1">continue</beam>
    <beam number="2">end</beam>
   </note>
   <note>
    <pitch>
     <step>G</step>
     <octave>4</octave>
    </pitch>
    <duration>2</duration>
    <voice>1</voice>
    <type>eighth</type>
    <beam number="1">continue</beam>
   </note>
   <note>
    <pitch>
     <step>F</step>
     <alter>1</alter>
     <octave>4</octave>
    </pitch>
    <duration>2</duration>
    <tie type="start" />
    <voice>1</voice>
    <type>eighth</type>
    <accidental>sharp</accidental>
    <beam number="1">end</beam>
    <notations>
     <tied type="start" />
    </notations>
   </note>
  </measure>
  <measure number="2">
   <note>
    <pitch>
     <step>F</step>
     <alter>1</alter>
     <octave>4</octave>
    </pitch>
    <duration>4</duration>
    <tie type="stop" />
    <voice>1</voice>
    <type>quarter</type>
    <notations>
     <tied type="stop" />
    </notations>
   </note>
   <barline location="right">
    <bar-style>light-heavy</bar-style>
   </barline>
  </measure>
 </part>
</score-partwise>
"""
    )


def test_a_bar_of_rest_and_low_notes() -> None:
    score = ET.fromstring(sheet_to_musicxml(notate(Melody([40, *[-2] * 19, -1, *[-2] * 19], meter=Meter(5, 4)))))
    assert score.find("work") is None
    assert (score.findtext(".//clef/sign"), score.findtext(".//clef/line")) == ("F", "4")
    (rest,) = score.findall("part/measure[2]/note")
    assert rest.find("rest[@measure='yes']") is not None
    assert (rest.findtext("duration"), rest.find("type")) == ("20", None)
    tied = score.findall("part/measure[1]/note")
    assert [note.findtext("type") for note in tied] == ["whole", "quarter"]


@given(written_melodies.melodies(), written_melodies.keys)
def test_elements_stand_in_the_order_of_the_schema(melody: Melody, key: Key | None) -> None:
    for element in ET.fromstring(sheet_to_musicxml(notate(melody, key=key, title="A title"))).iter():
        if element.tag in ORDER:
            places = [ORDER[element.tag].index(child.tag) for child in element]
            assert places == sorted(places)


@given(written_melodies.melodies(), written_melodies.keys)
def test_our_reader_gets_back_the_notes(melody: Melody, key: Key | None) -> None:
    (tune,) = music_of(sheet_to_musicxml(notate(melody, key=key)), "melody.musicxml")
    heard = [(note.pitch, note.start_time / STEP, note.end_time / STEP) for note in tune.notes]
    assert heard == written_melodies.sounding(melody)
    (meter,) = tune.time_signatures
    assert (meter.numerator, meter.denominator) == melody.meter.time_signature


@given(written_melodies.melodies(), written_melodies.keys)
def test_music21_gets_back_notes_and_bars(melody: Melody, key: Key | None) -> None:
    sheet = notate(melody, key=key)
    heard, score = written_melodies.read_by_music21(sheet_to_musicxml(sheet), "musicxml")
    assert heard == written_melodies.from_first_bar(melody, has_upbeat=sheet.has_upbeat)
    bars = [round(4 * bar.duration.quarterLength) for bar in score.parts[0].getElementsByClass("Measure")]
    assert bars == [sum(sign.length for sign in bar) for bar in sheet.bars]
    assert score.flatten().getTimeSignatures()[0].ratioString == str(melody.meter)
    assert score.flatten().getElementsByClass("KeySignature")[0].sharps == sheet.sharps


def test_chords_are_harmonies() -> None:
    melody = Melody([60, -2, -2, -2, 62, -2, -2, -2], meter=Meter(2, 4), chords=[(0, "F#7sus4/B"), (4, "N.C.")])
    written = sheet_to_musicxml(notate(melody, key=parse_key("C"))).decode()
    harmonies = [ET.tostring(harmony, encoding="unicode") for harmony in ET.fromstring(written).iter("harmony")]
    assert ["".join(harmony.split()) for harmony in harmonies] == [
        "<harmony><root><root-step>F</root-step><root-alter>1</root-alter></root>"
        '<kindtext="7sus4">suspended-fourth</kind><bass><bass-step>B</bass-step></bass>'
        '<degreeprint-object="no"><degree-value>7</degree-value><degree-alter>0</degree-alter>'
        "<degree-type>add</degree-type></degree></harmony>",
        '<harmony><root><root-step>C</root-step></root><kindtext="N.C.">none</kind></harmony>',
    ]

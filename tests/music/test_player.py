import xml.etree.ElementTree as ET

from ostinato.music.melody import Melody
from ostinato.music.player import notebook_html, player_html, player_script

MELODY = Melody([60, -2, -1, 62])


def test_the_player_holds_events_tempo_button_and_roll() -> None:
    player = ET.fromstring(player_html(MELODY, qpm=90, name='a "b" <c>'))
    assert player.tag == "melody-player"
    assert player.attrib["events"] == "60 -2 -1 62"
    assert player.attrib["qpm"] == "90"
    button = player.find("button")
    assert button is not None
    assert button.attrib["aria-label"] == 'Play a "b" <c>'
    assert "hidden" in player_html(MELODY)  # until the script shows it
    roll = player.find("{*}svg")
    assert roll is not None
    assert roll.attrib["aria-label"] == 'Piano roll of a "b" <c>'


def test_the_script_needs_nothing_from_outside() -> None:
    script = player_script()
    assert 'customElements.define("melody-player"' in script
    assert "</" not in script  # it stands within <script>
    assert script.replace("http://www.w3.org/2000/svg", "").count("://") == 0


def test_a_notebook_gets_all_in_one_piece() -> None:
    html = notebook_html(MELODY)
    assert html.count("</melody-player>") == 1
    assert f"<script>{player_script()}</script>" in html

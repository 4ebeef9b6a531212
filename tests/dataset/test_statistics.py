from ostinato.dataset.statistics import DatasetStatistics
from ostinato.music.extract import ExtractionSettings


def test_the_histogram_says_which_lengths_are_too_short() -> None:
    statistics = DatasetStatistics()
    statistics.extraction.bars.update({0: 3, 5: 1, 7: 2, 20: 6})
    assert statistics.histogram(7) == [
        " 0             3  ####################  too short",
        " 1             0  ",
        " 2 -  3        0  ",
        " 4 -  6        1  #######  too short",
        " 7             2  ##############",
        " 8 - 15        0  ",
        "16 - 20        6  ########################################",
    ]
    assert DatasetStatistics().histogram(7) == []


def test_all_that_is_left_out_is_told() -> None:
    statistics = DatasetStatistics(failures=1, duplicates=2, out_of_range=3)
    statistics.extraction.polyphonic_tracks = 4
    statistics.extraction.drum_tracks = 5
    statistics.extraction.pieces_without_grid = 6
    told = statistics.left_out(ExtractionSettings())
    assert [int(line.split()[0]) for line in told] == [1, 4, 5, 6, 2, 3]

from ostinato.cli.terminal import text_table, wrapped


def test_columns_stand_under_each_other() -> None:
    assert text_table([["a", "bits"], ["model", "1"]]) == "a      bits\nmodel     1"


def test_words_stand_to_the_left_and_figures_to_the_right() -> None:
    assert text_table([["a", "b", "1"], ["aa", "bb", "22"]], words=2) == "a   b    1\naa  bb  22"


def test_words_are_cut_to_the_width_the_last_column_first() -> None:
    rows = [["a long first one", "a long second one", "12"]]
    assert text_table(rows, words=2, width=36) == "a long first one  a long second…  12"
    # No column of words gets below 8 characters; then the lines are cut.
    assert text_table(rows, words=2, width=22) == "a long …  a long …  12"
    assert text_table(rows, words=2, width=20) == "a long …  a long … …"


def test_text_goes_on_a_little_further_in() -> None:
    assert wrapped("one two three four", indent="  ", width=12) == "  one two\n    three\n    four"

from ostinato.cli.tables import text_table


def test_columns_stand_under_each_other() -> None:
    assert text_table([["a", "bits"], ["model", "1"]]) == "a      bits\nmodel     1"

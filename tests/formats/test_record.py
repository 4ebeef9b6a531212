"""What readers hand over."""

import pickle

from ostinato.formats.record import Remark


def test_a_remark_travels_between_processes() -> None:
    remark = pickle.loads(pickle.dumps(Remark("cut off", "the file ends inside track 3")))
    assert (remark.name, remark.text, str(remark)) == (
        "cut off",
        "the file ends inside track 3",
        "the file ends inside track 3",
    )

import pytest
import torch

from ostinato.training import threads


def test_a_thread_of_ours_does_its_arithmetic_alone() -> None:
    before = torch.get_num_threads()
    assert threads.in_parts(lambda first, last: torch.get_num_threads(), 2, 2) == [1, 1]
    assert torch.get_num_threads() == before


def test_parts_cover_everything_once_and_in_order() -> None:
    assert threads.in_parts(lambda first, last: (first, last), 10, 3) == [(0, 3), (3, 6), (6, 10)]


def test_a_thread_builds_no_graph() -> None:
    one = torch.ones(1, requires_grad=True)
    assert threads.in_parts(lambda first, last: (one + 1).requires_grad, 2, 2) == [False, False]


def test_an_error_of_a_part_is_raised() -> None:
    def fail(first: int, last: int) -> None:
        if first:
            raise ValueError(first)

    with pytest.raises(ValueError, match="5"):
        threads.in_parts(fail, 10, 2)


def test_small_batches_are_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.get_num_threads", lambda: 4)
    assert [threads.threads_for(batch) for batch in (1, 15, 16, 31, 32, 128)] == [1, 1, 2, 3, 4, 4]
    monkeypatch.setattr("torch.get_num_threads", lambda: 64)
    assert threads.threads_for(128) == threads.MOST_THREADS == 8

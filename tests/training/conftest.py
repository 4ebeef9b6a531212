"""What several tests of training need."""

import importlib.util
from collections.abc import Iterator

import pytest

# Without PyTorch there is no training to test.
collect_ignore_glob = [] if importlib.util.find_spec("torch") else ["test_*.py", "fast/test_*.py"]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Tiny networks are slower on more threads, by far where others use the cores too."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

"""What several tests need."""

from pathlib import Path

import pytest
from hypothesis import settings

import golden_files

# A slow or busy machine is no failure: an example may take any time.
settings.register_profile(
    "any machine", parent=settings.get_profile(settings.get_current_profile_name()), deadline=None
)
settings.load_profile("any machine")


@pytest.fixture(params=golden_files.sets(), ids=lambda folder: folder.name)
def golden(request: pytest.FixtureRequest) -> Path:
    """Each golden set at hand in turn."""
    folder = request.param
    assert isinstance(folder, Path)
    return folder


@pytest.fixture
def golden_public() -> Path:
    """The large golden set; without it the test is skipped, for its files may not be copied here."""
    folder = golden_files.large_set()
    if folder is None:
        pytest.skip("OSTINATO_GOLDEN names no golden folder")
    return folder

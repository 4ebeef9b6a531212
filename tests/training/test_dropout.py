import pytest
import torch

from ostinato.training import dropout


@pytest.mark.parametrize("keep_prob", [0.1, 0.5, 0.9, 0.9999999])
def test_dropout_keeps_its_share_and_the_expected_value(keep_prob: float) -> None:
    drop = dropout.draw((100, 100, 101), keep_prob, torch.device("cpu"))
    assert drop.kept.shape == (100, 100, 101)
    share = drop.kept.double().mean().item()
    assert share == pytest.approx(keep_prob, abs=0.002)
    assert drop(torch.ones(100, 100, 101)).double().mean().item() == pytest.approx(1, abs=0.02)
    assert drop.scale == pytest.approx(1 / keep_prob, rel=1e-3)

import subprocess
import sys
from pathlib import Path

import golden_files
from ostinato.bundle import load_bundle
from ostinato.formats.tensorflow import tensorflow_pb2 as pb
from ostinato.formats.tensorflow.tfrecord import write_records

GOLDEN = golden_files.SMALL.parent


def bundle(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ostinato", "bundle", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_show_tells_what_a_bundle_of_magentas_holds() -> None:
    done = bundle("show", GOLDEN / "gold_attention.mag")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "config:                 attention_rnn\n"
        "layers:                 32, 32\n"
        "attention:              40 steps, around the first layer\n"
        "inputs:                 74 a step\n"
        "classes:                40\n"
        "pitches:                48..83, moved to the key of C\n"
        # 107 * 74 of what goes in, 107 * 128 and 65 * 128 of the layers, 65 * 32 + 32 * 32 + 32 of the memory,
        # 65 * 32 of what comes out, 33 * 40 of the classes
        "parameters:             36,470\n"
        "size:                   274,843 bytes\n"
        "exports to:             page, js, onnx, magenta\n"
        "description:            golden attention_rnn 30 steps\n"
        "generator description:  Melody RNN with lookback encoding and attention.\n"
        "made by:                Magenta\n"
        "tensorflow version:     2.15.1\n"
    )


def test_show_takes_a_run_dir_too() -> None:
    done = bundle("show", GOLDEN / "v2_checkpoint_lookback")
    assert done.returncode == 0
    assert "config:                 lookback_rnn\n" in done.stdout
    assert "attention:              none\n" in done.stdout
    assert "step:                   30\n" in done.stdout


def test_convert_writes_a_bundle_of_ours_and_overwrites_nothing(tmp_path: Path) -> None:
    new = tmp_path / "new.mag"
    done = bundle("convert", GOLDEN / "gold_lookback.mag", new)
    assert (done.returncode, done.stdout) == (0, "")
    assert (
        done.stderr == f"{new}: lookback_rnn, golden lookback_rnn 30 steps (made by Magenta with TensorFlow 2.15.1)\n"
    )
    written = new.read_bytes()
    assert b"lstm.0.kernel" in written
    done = bundle("convert", GOLDEN / "gold_attention.mag", new)
    assert done.returncode == 2
    assert done.stderr == (
        f"ostinato bundle: {new}: there is such a file already; choose another name, or overwrite it with --force\n"
    )
    assert new.read_bytes() == written
    assert bundle("convert", GOLDEN / "gold_attention.mag", new, "--force").returncode == 0
    assert load_bundle(new).config.name == "attention_rnn"


def test_save_writes_a_bundle_of_a_run_with_its_held_out_loss(tmp_path: Path) -> None:
    (tmp_path / "train").symlink_to(GOLDEN / "v2_checkpoint_attention")
    event = pb.Event(step=30, summary={"value": [{"tag": "loss", "simple_value": 2.5}]})
    write_records(tmp_path / "eval" / "events.out.tfevents.1", [event.SerializeToString()])
    new = tmp_path / "new.mag"
    flags = [f"--bundle_file={new}", "--bundle_description=nine tunes", "--hparams=attn_length=8"]
    done = bundle("save", f"--run_dir={tmp_path}", "--config=attention_rnn", *flags)
    assert done.returncode == 0, done.stderr
    written = load_bundle(new)
    assert written.config.hparams.attn_length == 8
    text = "nine tunes (made by Magenta, trained for 30 steps, held-out loss 2.5)"
    assert written.provenance["description"] == text
    checkpoint = tmp_path / "train" / "model.ckpt-30"
    done = bundle("save", f"--checkpoint_file={checkpoint}", *flags, "--force")
    assert done.returncode == 0, done.stderr
    assert load_bundle(new).provenance["description"] == text


def test_save_wants_one_source(tmp_path: Path) -> None:
    flag = f"--bundle_file={tmp_path / 'new.mag'}"
    for sources in ([], ["--run_dir=a", "--checkpoint_file=b"]):
        done = bundle("save", flag, *sources)
        assert done.returncode == 2
        assert "give either --run_dir or --checkpoint_file" in done.stderr
        assert done.stderr.count("\n") == 1


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.mag").write_bytes((GOLDEN / "gold_lookback.mag").read_bytes()[:5000])
    for path, message in ((tmp_path / "x.mag", "damaged or cut off"), (tmp_path / "y.mag", "there is no such bundle")):
        for arguments in (["show", path], ["convert", path, tmp_path / "new.mag"]):
            done = bundle(*map(str, arguments))
            assert done.returncode == 1
            assert message in done.stderr
            assert done.stderr.count("\n") == 1
    assert not (tmp_path / "new.mag").exists()

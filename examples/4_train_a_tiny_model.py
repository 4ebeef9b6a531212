"""Numbers → network: a tiny model learns two bars by heart, and its loss falls."""

import tempfile

import ostinato
from ostinato.config import preset
from ostinato.formats.tensorflow.sequence_example import Example, serialize_sequence_example
from ostinato.formats.tensorflow.tfrecord import write_records
from ostinato.training.data import load_examples
from ostinato.training.job import TrainSettings, train

melody = ostinato.Melody([60, -2, 62, -2, 64, -2, 65, -2, 67, -2, -2, -2, 67, -2, -1, -2] * 2)
config = preset("lookback_rnn").with_hparams(
    {"batch_size": 4, "rnn_layer_sizes": [16], "dropout_keep_prob": 1.0, "initial_learning_rate": 0.05}
)
with tempfile.TemporaryDirectory() as folder:
    records = f"{folder}/melodies.tfrecord"
    example = serialize_sequence_example(Example(*ostinato.encode("lookback_rnn", melody)))
    write_records(records, [example] * 4)
    report = train(
        f"{folder}/run",
        load_examples(records, config),
        config,
        TrainSettings(num_training_steps=60, summary_frequency=20, seed=0),
        on_step=lambda step, summary: summary and print(f"step {step}: loss {summary.metrics.loss:.3f}"),
    )
    print(f"{report.step} steps; now it goes on by itself:")
    print(ostinato.load(f"{folder}/run").generate(num_steps=32, primer=melody[:6], temperature=0.2, seed=0)[0].events)

"""The files of TensorFlow: TFRecord, SequenceExample and both kinds of checkpoint."""

"""Call and response over MIDI ports.

`messages` are MIDI messages as bytes, `clock` is the grid of 16ths in seconds,
`listening` writes down what is played, `responder` asks the model, `voices`
keeps track of what sounds, `session` is whose turn it is, `ports` are the
cables and `loop` turns the time.
"""

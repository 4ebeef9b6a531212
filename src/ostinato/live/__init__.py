"""Call and response over MIDI ports.

`ports` are the cables, `voices` what sounds on them, `metronome` the time and
its click, `turns` a call and its response, `session` whose turn it is.
"""

"""Call and response over MIDI ports.

`ports` are the cables, `voices` is what sounds on them, `turns` is a call and its
response, and `session` is the time and whose turn it is.
"""

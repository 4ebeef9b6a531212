"""Call and response over MIDI ports.

`ports` are the cables, `voices` what sounds on them, `turns` a call and its
response, `session` the time, and whose turn it is.
"""

"""The studio: a local page to play with the models, and the JSON API under it.

`app` puts the parts together and `server` runs them; `security` turns away what
no page of ours sent, `bodies` and `strict_json` take requests in, `requests`
checks what they ask, `workers` do it, `models` and `answers` are what is asked
for, `candidates` finds primers in MIDI files, `openapi` describes it all.
"""

DEFAULT_PORT = 8765

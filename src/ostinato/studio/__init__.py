"""The studio: a local page to play with the models, and the JSON API under it.

`server` puts the parts together and serves them; `security` turns away what no
page of ours sent, and what is too large, too slow or too much; `schema` has the
types of requests and answers, from which `openapi` describes them; `api` does
what is asked, of the models in `models`, and `candidates` finds primers in MIDI
files.
"""

DEFAULT_PORT = 8765

"""The studio: a local page to play with the models, and the JSON API under it.

`server` puts the parts together and serves them; `security` turns away what no
page of ours sent, and what is too large or too slow; `schema` has the types of
requests and answers; `api` describes them and does what is asked, of the models
in `models`; `workers` says whose turn it is, and makes melodies on all cores.
"""

DEFAULT_PORT = 8765

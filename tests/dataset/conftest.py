import importlib.util

# An optional part: where it is not installed its tests are left out.
collect_ignore = [] if importlib.util.find_spec("apache_beam") else ["test_beam.py"]

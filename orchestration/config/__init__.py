"""Configuration: the files below config/, as typed, checked objects.

`files` reads and checks; `model`, `dag_model` and `profile_model` are the shapes; `rules` and `consistency` say what
must hold between values; `yaml_reader`, `shape` and `problems` give every finding its file and line; `show` prints what
counts and where it came from.
"""

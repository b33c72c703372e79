"""Reads and checks the configuration files below config/ (specification, section 3), and returns typed settings.

`files` is the entry point. `model`, `dag_model` and `profile_model` define the schemas; `rules` and `consistency` check
invariants between values; `yaml_reader`, `shape` and `problems` report every problem with file and line; `show` prints
the resolved values with their origins.
"""

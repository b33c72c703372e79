"""Orgo Insights: configuration, DAGs, cache, exports, reviews and the command line around the dbt project."""

import logging

# The application that uses this package configures logging; without a handler, Python would print warnings.
logging.getLogger(__name__).addHandler(logging.NullHandler())

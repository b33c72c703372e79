"""Everything around dbt."""

import logging

# A service that uses this package decides where its log goes; without a decision nothing is printed.
logging.getLogger(__name__).addHandler(logging.NullHandler())

"""Retention (specification, section 2.1; decision D8): how long rows are kept, and the purge of older ones."""

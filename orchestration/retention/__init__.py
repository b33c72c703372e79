"""Retention (specification 2.1, decision D8): what is kept how long, and the purge of what is older."""

"""The one base of all errors that a user can mend."""


class InsightsError(Exception):
    """Something is wrong that the person at the keyboard can put right; the message says what, where and how."""

"""The one exception that means "the user can mend this"."""


class UserError(Exception):
    """A mistake in what the user gave: input, option, file or environment.

    The message is one line that says what is wrong, where, and what to do.
    Programs print it as it is, without a traceback, and exit with status 2.
    """

"""The one exception that means "the user can mend this"."""


class UserError(Exception):
    """A mistake in what the user gave: input, option, file or environment.

    The message is one line that says what is wrong, where, and what to do.
    Programs print it as it is, without a traceback, and exit with status 2.
    """


def needs_extra(what: str, error: BaseException, extra: str = "train") -> UserError:
    """That packages are missing which an extra of setup.py brings.

    Args:
        what: what needs which package, as in "training needs Keras".
        error: of the import.
        extra: the one that brings them; `make setup-dev` brings all.
    """
    return UserError(
        f"{what} ({first_line(error)}); in the checkout, run `make setup-dev` or "
        f"`pip install '.[{extra}]'`"
    )


def first_line(error: BaseException) -> str:
    """What an error of another library says, as part of a one-line message."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)

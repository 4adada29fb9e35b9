"""What every module raises when something that a person gave cannot be used."""


class InputError(ValueError):
    """The message names the file or key, its value and the way out; it is shown without a traceback."""

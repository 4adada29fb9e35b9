"""Memory that is not enough, of a GPU or of the machine: torch says it in several ways. Without torch."""

WORDS = ("out of memory", "can't allocate memory", "not enough memory")


def ran_out(error: BaseException) -> bool:
    """Return whether an error says that memory was not enough."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in WORDS)

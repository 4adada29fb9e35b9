"""What the libraries say, kept out of what a person reads."""

import diffusers
import transformers


def hush_libraries() -> None:
    """Keep progress bars and advice of the libraries out of what a person reads."""
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()

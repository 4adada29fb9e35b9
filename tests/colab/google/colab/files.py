"""Downloads by the browser: GENTRA_FAKE_DOWNLOADS names the folder that they go to."""

import os
import shutil


def download(filename):
    """Copy a file to where a test looks for it."""
    shutil.copy(filename, os.environ["GENTRA_FAKE_DOWNLOADS"])

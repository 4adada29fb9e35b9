"""DVC's settings, .dvc/config and .dvc/config.local, as they are written here."""

import codecs
import locale
from pathlib import Path
from typing import Any

from configobj import ConfigObj
from dvc.config import Config, _pack_named

from gentra_lora.errors import InputError
from gentra_lora.whole_file import write_whole


class WholeConfig(Config):
    """DVC's settings, its files written in UTF-8 and whole, or not at all.

    DVC itself writes no letter beyond ASCII, and has emptied the file by the time that it finds one.

    Raises:
        InputError: of `edit`: DVC would not read what would be written.
    """

    def _save_config(self, level: str, conf_dict: dict[str, Any]) -> None:
        path, text = Path(self.files[level]), "\n".join(ConfigObj(_pack_named(conf_dict)).write()) + "\n"
        encoding = locale.getpreferredencoding(False)
        if not text.isascii() and codecs.lookup(encoding).name != "utf-8":
            raise InputError(f"{path}: DVC would read its letters as {encoding}; set PYTHONUTF8=1, here and for `dvc`")
        try:
            write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))
        except UnicodeEncodeError as error:
            raise InputError(f"{path}: the folder or key has a name that is not UTF-8; rename it") from error

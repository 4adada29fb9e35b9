import diffusers
import transformers

from gentra_lora.base.libraries import hush_libraries


def test_libraries_neither_advise_nor_draw_bars():
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_warning()
    hush_libraries()
    for library in (diffusers, transformers):
        assert library.utils.logging.get_verbosity() == library.utils.logging.ERROR
        assert not library.utils.logging.is_progress_bar_enabled()

"""The files of a base: what they hold, by their headers and configurations, and whether they are whole.

Start with pipeline_folder.py and parts.py, a base as a diffusers folder, and single_file.py, one as a file, whose kind
kind.py knows and whose names ldm_layout.py; all look by headers.py and wholeness.py, and tokens.py at the tokenizer.
configs.py, noise_schedule.py and hub.py read what each part says of itself; sd1/ is what Stable Diffusion 1.x's would.

May import: base/source.py, errors.py.
"""

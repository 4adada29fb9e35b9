"""The base model: a local folder, a pinned hub id or a single file -> its parts, checked, on this hardware.

Start with model.py, which loads each part; samplers.py names the samplers, hardware.py and allocator.py the machine.

May import: nothing but errors.py and whole_file.py.
"""

"""The base model: a local folder, a pinned hub id or a single file -> its parts, checked, on this hardware.

Start with source.py, what params.yaml says of it, and model.py, which loads each part; first_look.py and checks.py look
into it before anything runs, by what lies in files/. samplers.py names the samplers, precision.py, hardware.py,
memory.py and allocator.py look at the machine.

May import: nothing but errors.py and whole_file.py.
"""

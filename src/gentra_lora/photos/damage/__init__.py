"""Bytes of a photo file, and the picture that came of them -> what shows that a part of the photo is lost.

A decoder that raised nothing has not shown that a file is whole: most of them fill what is missing with grey or black.
Start with check.py, which knows the module of each format; sign.py says what is found.

May import: nothing but errors.py.
"""

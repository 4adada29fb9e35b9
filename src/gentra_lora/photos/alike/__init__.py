"""Photos that show nearly the same, so that none of them measures what another taught.

Start with duplicates.py, which asks the others; bars.py cuts a photo to the picture before it is compared.

May import: nothing of the package.
"""

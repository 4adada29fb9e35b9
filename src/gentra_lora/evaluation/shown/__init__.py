"""An evaluation, and the comparison of two, as people see them: a page, sheets, lines of text.

Start with report.py; words.py says in sentences what the numbers mean.

May import: base, photos, adapter, pictures, latents, training, and the evaluation itself.
"""

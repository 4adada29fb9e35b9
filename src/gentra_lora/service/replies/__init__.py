"""What answers hold, as schemas by their nouns.

Start with pictures.py.

May import: the service's jobs.
"""

"""What can be typed, and the help on it: read without importing what a command does, so that no word waits for torch.

Start with table.py, an entry for each command; options.py has what each takes, kinds.py how a value is read, screens.py
what help shows, refusals.py what is said where words were not understood.

May import: what of other rooms needs no torch, such as limits and names.
"""

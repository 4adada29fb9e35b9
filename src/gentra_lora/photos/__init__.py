"""A folder of photos and captions -> a checked data set: upright sRGB pictures, captions, a held-out split.

Start with dataset.py, which puts the others together; folder.py finds the files, photo.py opens one,
caption_files.py reads the captions, masks.py says where the subject is, splits.py holds photos out, manifest.py is what
later stages read.

May import: nothing but errors.py and whole_file.py.
"""

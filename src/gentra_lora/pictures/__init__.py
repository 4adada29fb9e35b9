"""Prompt, seed and strength -> pictures, batched; and sheets of them.

Start with engine.py: it draws a batch of requests (request.py) with one base and one adapter; batch.py is one such
batch, masks.py what of a photo stays, limits.py what may be asked, record.py what a PNG says of itself;
sampling_pipeline.py draws the samples of a training; segmentation.py finds the subject in a photo;
sheets.py and sheet_drawing.py lay pictures out.

May import: base, adapter, photos.
"""

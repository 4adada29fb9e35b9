"""What the VAE and the text encoder make of photos and captions, computed once and kept in files keyed by content.

Start with cache.py; posteriors.py encodes, cached_photos.py is what training reads, class_pictures.py adds what the
base itself draws of the class, and base_predictions.py what it predicts there, for prior preservation.

May import: base, photos, pictures.
"""

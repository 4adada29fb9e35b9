"""Bodies of requests: read by their kind, checked against a schema, photos opened.

Start with photos.py; objects.py reads JSON, forms.py forms, uploads.py opens photos in the threads of decoders.py,
sentences.py says what is wrong with a field.

May import: the service's jobs, errors.py and settings.py; every package but stages and commands.
"""

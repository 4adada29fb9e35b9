"""What an adapter has learned and what it has spoilt, against the base, row by row; and whether two runs differ.

Start with plan.py (what is drawn and scored); measures.py turns rows into metrics, intervals.py says how sure they
are, compare.py sets two runs side by side, and shown/ is what people see of both.

May import: base, photos, adapter, pictures, latents, training.
"""

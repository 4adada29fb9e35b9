"""A training: a step and its random draws, the optimizer, checkpoints, held-out loss and what a person sees of it.

Start with run.py: a step as a function of (seed, step); batches.py, sampling.py and denoising.py are its parts,
between_steps.py what happens after one (held_out.py, samples.py, progress.py, checkpoint.py).

May import: base, photos, adapter, pictures, latents.
"""

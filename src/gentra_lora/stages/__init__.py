"""What DVC runs: prepare, cache_latents, train, evaluate, each `load, do, save, one line of result`.

Start with dvc.yaml, which names them in order; run.py is how each of them is started and ended.

May import: params.py, and every package but service, revisions, drive and commands.
"""

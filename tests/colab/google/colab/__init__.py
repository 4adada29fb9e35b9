"""A stand-in for Colab's own package, for tests/colab/run_notebook.py."""

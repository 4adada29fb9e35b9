"""Teach a Stable Diffusion 1.5-style model one subject, and keep doing it well."""

import os

# On import, transformers advises to install torchvision, which this project does without.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

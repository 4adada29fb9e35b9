"""The LoRA adapter: attached for training, fused for speed, written in the one layout that every program reads.

Start with lora.py (which layers, which weights) and file.py (the file); key_maps.py and reload_check.py prove that
other programs read it, provenance.py fills its header, rows.py gives each row of a batch a strength of its own.

May import: base.
"""

"""Git revisions and DVC experiments: their exact weights, what they were trained and evaluated as, what a kill left.

Start with weights.py, which pulls the weights of a revision and checks them against its dvc.lock.

May import: drive, evaluation.
"""

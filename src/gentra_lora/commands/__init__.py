"""What a person types: `gentra-lora COMMAND`, a module for each group of commands.

Start with main.py: it reads the words by syntax/, where every command is declared, and imports only the module that
does the work that is asked for.

May import: every other package.
"""

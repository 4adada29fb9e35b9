"""What a person types: `gentra-lora COMMAND`, a module for each group of commands.

Start with main.py; it imports a command's module only when that command is asked for.

May import: every other package.
"""

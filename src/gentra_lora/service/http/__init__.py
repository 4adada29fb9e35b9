"""Requests and answers: routes and middleware. Nothing here draws.

Start with app.py and routes_pictures.py.

May import: the service's jobs, bodies, replies, a1111 and openai, errors.py and settings.py; every package but stages
and commands.
"""

"""Requests and answers: routes, their schemas, uploads, middleware. Nothing here draws.

Start with app.py and routes_pictures.py.

May import: the service's jobs and a1111, errors.py and settings.py; every package but stages and commands.
"""

"""A1111's API on this service, as its scripts, bots and plug-ins speak it: their fields and answers, our pictures.

Start with routes_pictures.py and schemas.py.

May import: the service's jobs, bodies and http, errors.py and settings.py; every package but stages and commands.
"""

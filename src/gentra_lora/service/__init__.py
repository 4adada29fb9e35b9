"""The service: pictures by the exact weights of a revision, over HTTP.

Start with http/app.py, which puts it together, and jobs/service.py, which owns the worker; settings.py has every
setting, server.py runs it, ray.py runs replicas of it; bodies/ reads requests, replies/ says what answers hold;
a1111/ and openai/ speak those APIs; page/ is what a person's browser gets.

May import: every package but stages and commands.
"""

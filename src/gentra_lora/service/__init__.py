"""The service: pictures by the exact weights of a revision, over HTTP.

Start with http/app.py, which puts it together, and jobs/service.py, which owns the worker; settings.py has every
setting, server.py runs it, ray.py runs replicas of it; a1111/ speaks A1111's API; page/ is what a person's browser
gets.

May import: every package but stages and commands.
"""

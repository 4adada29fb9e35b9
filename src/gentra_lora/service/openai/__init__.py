"""The service in the words of OpenAI's API of images, for its clients and for what speaks as they do.

Start with routes.py; wishes.py has what a client may say, translated.py what it means here.

May import: the service's http, bodies, replies, jobs, errors.py and settings.py; every package but stages and commands.
"""

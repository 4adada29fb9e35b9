"""The service: pictures by the exact weights of a revision, over HTTP. `create_app` in app.py puts it together."""

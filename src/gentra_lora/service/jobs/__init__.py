"""What happens to a request between its arrival and its picture: checks, queue, the one worker, the revision served.

Start with service.py; job.py is one request, queue.py the waiting ones, worker.py the thread that owns the
denoiser, store.py the finished ones on the disk, lifecycle.py and revision.py which weights it draws with.

May import: the service's errors.py and settings.py; every package but stages and commands.
"""

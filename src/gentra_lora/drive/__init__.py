"""The three ways to one Google Drive folder as a DVC remote: mounted, with a person's account, with a service account.

Start with remotes.py, which sets a remote up; settings.py writes DVC's settings, folder.py finds and checks the folder,
objects.py sends and proves files, credentials.py reads keys, faults.py explains Drive's answers, outputs.py brings
outputs back.

May import: nothing but errors.py, git.py and whole_file.py.
"""

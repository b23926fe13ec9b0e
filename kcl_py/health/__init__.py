"""Is this worker alive, and who may ask? A heartbeat file, a small HTTP server, and `kcl health`.

`python -m kcl_py.health` runs every few seconds in a container: nothing that it imports may import
more than the standard library.
"""

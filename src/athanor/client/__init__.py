"""The only road to an API server: a Transport sends Requests; Calls say what to send.

protocol (the seam), inproc (a server's `handle` in the same process), http (an event loop, many
connections), sync (light, for one-shot commands), kubeconfig (which server, as whom).
"""

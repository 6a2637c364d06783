"""What people reach beside the API: workspaces, each through a connection into its own pod.

`tickets` are the gateway's word that somebody may in, `tunnel` leads into a pod, `proxy` answers
browsers, `activity` watches what is done and tells the workspace's status. It keeps no state: what
it knows it reads from the API, or has signed itself. A shell: I/O is allowed, features are not.
"""

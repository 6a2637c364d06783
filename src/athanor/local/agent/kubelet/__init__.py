"""The endpoints a kubelet serves to its API server: logs, exec, attach, port-forward, metrics."""

"""Figures on a real Kubernetes control plane: `python -m bench.cluster NAME`.

etcd (with fsync), kube-apiserver, controller-manager, kube-scheduler and our controllers are
processes of their own on this machine, metered by CPU time; peers run in the same way right after.
"""

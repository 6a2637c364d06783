"""Real nodes on this machine: kubelets, containerd, containers, and Athanor inside."""

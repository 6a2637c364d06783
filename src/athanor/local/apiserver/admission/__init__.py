"""What is asked of a write beyond its own fields: namespaces, accounts, priorities, quota."""

"""The Python SDK: `athanor.Client()`, typed, synchronous and asynchronous."""

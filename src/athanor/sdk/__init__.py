"""The Python face of Athanor: `athanor.Client()` and `athanor.AsyncClient()`.

An operation (submit, wait, logs, why, …) is written once, as a generator of steps (steps); a
driver carries the steps out, synchronously or not (drive); the two clients (client) are the same
list of operations over either driver. Carries no controllers: everything goes through the API.
"""

"""Structural OpenAPI schemas compiled into functions: prune, default, validate, CEL rules.

`schema.Schema` is the face; built-in kinds and custom resources go through the same code. What an
object's metadata may say is left to the API server's own admission.
"""

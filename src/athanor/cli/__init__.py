"""The command line, one verb a file; a verb is imported when it is called.

`root` knows the verbs by name, `world` which server is meant, `show` how things are printed,
`failures` what an error looks like and which exit code it has.
"""


def main() -> None:
    """The entry point of `athanor` and `ath`."""
    import gc

    from athanor.cli.root import run

    gc.set_threshold(100_000)  # most commands are over before there is garbage worth looking for
    run()

"""The benchmark behind `make bench`: this hub beside other registries, on this machine, with the same work.

Not part of the product and not of its tests: `python -m bench --help` tells what can be measured.
"""

"""The nouns: names, digests, manifests, signatures. No input or output here."""

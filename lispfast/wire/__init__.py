"""Codecs of the LISP control plane: bytes to frozen values and back, as pure functions (RFC 9301).

Start at `message.decode`. Every codec keeps reserved bits and what stands behind the message, so that what was decoded
encodes to the bytes that it came from.
"""

"""The checksum that TensorFlow's formats have in common."""

import google_crc32c


def masked_crc32c(data: bytes) -> int:
    """CRC32C, masked: a plain checksum of data that itself holds checksums would be weak."""
    crc = int(google_crc32c.value(data))
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
